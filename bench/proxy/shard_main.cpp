// A shard that answers at once what bench_load asks, fast enough not to be the bottleneck.
#include <cstdio>
#include <memory>
#include <vector>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <CLI/CLI.hpp>

#include "bench/proxy/sockets.hpp"
#include "bench/proxy/workload.hpp"
#include "fast/decoder.hpp"
#include "fast/encoder.hpp"

namespace {

using bench::Descriptor;

constexpr std::size_t kFrameBytesMax = 64 << 20;

struct Connection {
  Descriptor socket;
  fast::Decoder decoder{kFrameBytesMax};
  bench::Output output;
  bool waits = false;  // for its client to take what it was sent
};

/// Listening sockets and connections in one poll: what is listened on is told by its address.
class Shard {
 public:
  Shard(const bench::Workload& workload, std::size_t ports)
      : workload_(workload), poll_(::epoll_create1(0)), buffer_(256 << 10) {
    for (std::size_t i = 0; i < ports; ++i) listening_.push_back(bench::listen_on(0));
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
      const int count =
          ::epoll_wait(poll_.get(), events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < count; ++i) take(events[static_cast<std::size_t>(i)]);
    }
  }

 private:
  void take(const epoll_event& event) {
    for (const Descriptor& each : listening_) {
      if (event.data.ptr != &each) continue;
      for (Descriptor socket = bench::accept_from(each); socket.get() >= 0;
           socket = bench::accept_from(each)) {
        auto* connection = new Connection;
        connection->socket = std::move(socket);
        bench::watch(poll_.get(), connection->socket.get(), EPOLLIN, connection);
      }
      return;
    }
    auto* connection = static_cast<Connection*>(event.data.ptr);
    if (!serve(*connection, event.events)) delete connection;
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
        answer(connection.output.bytes(), *frame);
      if (std::holds_alternative<fast::DecodeFailure>(decoded)) return false;
      connection.decoder.settle();
    }
    if (!connection.output.flush(socket)) return false;
    const bool waits = !connection.output.empty();
    if (waits != connection.waits)
      bench::change_watch(poll_.get(), socket, waits ? EPOLLOUT : EPOLLIN, &connection);
    connection.waits = waits;
    return true;
  }

  void answer(std::string& out, const fast::Frame& request) const {
    if (workload_.append_answer(out, request)) return;
    constexpr std::string_view kError =
        R"({"m":{"uts":1,"name":"?"},"d":{"name":"Error","message":"not a request of this bench"}})";
    fast::append_frame(out, request.version, fast::Status::error, request.message_id, kError);
  }

  const bench::Workload& workload_;
  Descriptor poll_;
  std::vector<char> buffer_;
  std::vector<Descriptor> listening_;
};

}  // namespace

int main(int count, char** arguments) {
  bench::WorkloadOptions options;
  std::size_t ports = 1;
  CLI::App app("Answers what bench_load asks, on free loopback ports, which it prints.");
  app.add_option("--ports", ports, "How many shards it plays");
  app.add_option("--value-bytes", options.value_bytes, "Bytes of a value");
  app.add_option("--rows", options.rows, "Records of a find");
  CLI11_PARSE(app, count, arguments);
  const bench::Workload workload(options);
  Shard shard(workload, ports);
  shard.print_ports();
  shard.run();
}
