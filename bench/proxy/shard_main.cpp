// Shards that answer what bench_load asks: at once, fast enough not to be the bottleneck; or each
// so many at a time, and each of those in so long, by the clock and with hardly any processor.
#include <cstdio>
#include <memory>
#include <queue>
#include <unordered_map>
#include <vector>

#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <CLI/CLI.hpp>

#include "bench/proxy/clock.hpp"
#include "bench/proxy/sockets.hpp"
#include "bench/proxy/workload.hpp"
#include "fast/decoder.hpp"
#include "fast/encoder.hpp"

namespace {

using bench::Descriptor;
using bench::now;

constexpr std::size_t kFrameBytesMax = 64 << 20;

struct Connection {
  std::size_t port = 0;
  Descriptor socket;
  fast::Decoder decoder{kFrameBytesMax};
  bench::Output output;
  bool waits = false;  // for its client to take what it was sent
};

/// Requests wait for the first of so many servers to be free.
struct Pace {
  std::size_t servers = 0;  // 0: answered at once
  double microseconds = 0;
};

struct Answer {
  std::uint64_t due = 0;
  std::weak_ptr<Connection> connection;
  std::string bytes;
  bool operator<(const Answer& other) const { return due > other.due; }
};

/// Listening sockets and connections in one poll: what is listened on is told by its address.
class Shard {
 public:
  Shard(const bench::Workload& workload, std::size_t ports, Pace pace)
      : workload_(workload), pace_(pace), poll_(::epoll_create1(0)), buffer_(256 << 10),
        free_(ports) {
    for (std::size_t i = 0; i < ports; ++i) listening_.push_back(bench::listen_on(0));
    for (auto& servers : free_)
      for (std::size_t i = 0; i < pace.servers; ++i) servers.push(0);
    for (Descriptor& each : listening_) bench::watch(poll_.get(), each.get(), EPOLLIN, &each);
  }

  void print_ports() const {
    for (const Descriptor& each : listening_) std::printf("%d ", bench::port_of(each));
    std::printf("\n");
    std::fflush(stdout);
  }

  [[noreturn]] void run() {
    std::vector<epoll_event> events(512);
    for (;;) {
      const int count = wait(events);
      for (int i = 0; i < count; ++i) take(events[static_cast<std::size_t>(i)]);
      send_due();
    }
  }

 private:
  int wait(std::vector<epoll_event>& events) {
    timespec limit{};
    if (!due_.empty()) {
      const std::uint64_t time = now(), until = due_.top().due;
      const std::uint64_t left = until > time ? until - time : 0;
      limit = {static_cast<std::time_t>(left / 1'000'000'000),
               static_cast<long>(left % 1'000'000'000)};
    }
    return ::epoll_pwait2(poll_.get(), events.data(), static_cast<int>(events.size()),
                          due_.empty() ? nullptr : &limit, nullptr);
  }

  void send_due() {
    if (due_.empty()) return;
    std::vector<std::shared_ptr<Connection>> written;
    for (const std::uint64_t time = now(); !due_.empty() && due_.top().due <= time; due_.pop()) {
      const auto connection = due_.top().connection.lock();
      if (connection == nullptr) continue;
      if (connection->output.empty()) written.push_back(connection);
      connection->output.bytes() += due_.top().bytes;
    }
    for (const auto& connection : written)
      if (!flush(*connection)) connections_.erase(connection.get());
  }

  void take(const epoll_event& event) {
    for (const Descriptor& each : listening_) {
      if (event.data.ptr != &each) continue;
      const auto port = static_cast<std::size_t>(&each - listening_.data());
      for (Descriptor socket = bench::accept_from(each); socket.get() >= 0;
           socket = bench::accept_from(each)) {
        const auto connection = std::make_shared<Connection>();
        connection->port = port;
        connection->socket = std::move(socket);
        bench::watch(poll_.get(), connection->socket.get(), EPOLLIN, connection.get());
        connections_.emplace(connection.get(), connection);
      }
      return;
    }
    auto* connection = static_cast<Connection*>(event.data.ptr);
    if (!serve(*connection, event.events)) connections_.erase(connection);
  }

  bool serve(Connection& connection, std::uint32_t events) {
    const int socket = connection.socket.get();
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && !connection.waits) {
      const ssize_t received = ::recv(socket, buffer_.data(), buffer_.size(), 0);
      if (received == 0 || (received < 0 && errno != EAGAIN)) return false;
      if (received > 0)
        connection.decoder.feed({buffer_.data(), static_cast<std::size_t>(received)});
      fast::Decoded decoded = connection.decoder.next();
      for (; const auto* frame = std::get_if<fast::Frame>(&decoded);
           decoded = connection.decoder.next())
        take(connection, *frame);
      if (std::holds_alternative<fast::DecodeFailure>(decoded)) return false;
      connection.decoder.settle();
    }
    return flush(connection);
  }

  bool flush(Connection& connection) {
    const int socket = connection.socket.get();
    if (!connection.output.flush(socket)) return false;
    const bool waits = !connection.output.empty();
    if (waits != connection.waits)
      bench::change_watch(poll_.get(), socket, waits ? EPOLLOUT : EPOLLIN, &connection);
    connection.waits = waits;
    return true;
  }

  void take(Connection& connection, const fast::Frame& request) {
    if (pace_.servers == 0) return answer(connection.output.bytes(), request);
    auto& servers = free_[connection.port];
    Answer later;
    later.due =
        std::max(now(), servers.top()) + static_cast<std::uint64_t>(pace_.microseconds * 1e3);
    servers.pop();
    servers.push(later.due);
    later.connection = connections_.at(&connection);
    answer(later.bytes, request);
    due_.push(std::move(later));
  }

  void answer(std::string& out, const fast::Frame& request) const {
    if (workload_.append_answer(out, request)) return;
    constexpr std::string_view kError =
        R"({"m":{"uts":1,"name":"?"},"d":{"name":"Error","message":"not a request of this bench"}})";
    fast::append_frame(out, request.version, fast::Status::error, request.message_id, kError);
  }

  const bench::Workload& workload_;
  const Pace pace_;
  Descriptor poll_;
  std::vector<char> buffer_;
  using Times = std::priority_queue<std::uint64_t, std::vector<std::uint64_t>, std::greater<>>;
  std::vector<Times> free_;  // by port: when each server is
  std::priority_queue<Answer> due_;
  std::unordered_map<Connection*, std::shared_ptr<Connection>> connections_;
  std::vector<Descriptor> listening_;
};

}  // namespace

int main(int count, char** arguments) {
  bench::WorkloadOptions options;
  std::size_t ports = 1;
  Pace pace;
  CLI::App app("Answers what bench_load asks, on free loopback ports, which it prints.");
  app.add_option("--ports", ports, "How many shards it plays");
  app.add_option("--value-bytes", options.value_bytes, "Bytes of a value");
  app.add_option("--rows", options.rows, "Records of a find");
  app.add_option("--servers", pace.servers, "Requests served at a time by each; 0: all, at once");
  app.add_option("--service-us", pace.microseconds, "How long each of them takes");
  CLI11_PARSE(app, count, arguments);
  ::prctl(PR_SET_TIMERSLACK, 1);
  const bench::Workload workload(options);
  Shard shard(workload, ports, pace);
  shard.print_ports();
  shard.run();
}
