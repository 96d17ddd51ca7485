// The least that a proxy can do: bytes from one socket to another, one thread, nothing understood.
// bench/proxy/compare.py uses it to tell a quiet machine from a disturbed one.
#include <cstdio>
#include <vector>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <CLI/CLI.hpp>

#include "bench/proxy/sockets.hpp"

namespace {

using bench::Descriptor;

struct Pair;

struct End {
  Pair* pair = nullptr;
  Descriptor socket;
  bench::Output output;  // what the other end sent and this one has not taken
  bool waits = false;
};

struct Pair {
  End ends[2];
  bool closed = false;
};

class Pump {
 public:
  Pump(std::uint16_t port, std::vector<std::uint16_t> to)
      : to_(std::move(to)), poll_(::epoll_create1(0)), listening_(bench::listen_on(port)) {
    bench::watch(poll_.get(), listening_.get(), EPOLLIN, nullptr);
  }

  [[noreturn]] void run() {
    std::vector<epoll_event> events(512);
    for (;;) {
      const int count =
          ::epoll_wait(poll_.get(), events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        if (event.data.ptr == nullptr)
          accept();
        else
          take(*static_cast<End*>(event.data.ptr), event.events);
      }
      for (Pair* pair : closed_) delete pair;  // no event of this turn names them any more
      closed_.clear();
    }
  }

 private:
  void accept() {
    for (Descriptor client = bench::accept_from(listening_); client.get() >= 0;
         client = bench::accept_from(listening_)) {
      auto* pair = new Pair;
      pair->ends[0].socket = std::move(client);
      pair->ends[1].socket = bench::connect_to(to_[next_++ % to_.size()]);
      for (End& end : pair->ends) {
        end.pair = pair;
        bench::watch(poll_.get(), end.socket.get(), EPOLLIN, &end);
      }
    }
  }

  void take(End& end, std::uint32_t events) {
    if (end.pair->closed) return;
    End& other = end.pair->ends[&end == &end.pair->ends[0] ? 1 : 0];
    bool alive = true;
    if ((events & EPOLLOUT) != 0) alive = write(end, other);
    if (alive && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && !other.waits) {
      const ssize_t received = ::recv(end.socket.get(), buffer_, sizeof buffer_, 0);
      if (received > 0) {
        other.output.bytes().append(buffer_, static_cast<std::size_t>(received));
        alive = write(other, end);
      } else {
        alive = received < 0 && errno == EAGAIN;
      }
    }
    if (alive) return;
    end.pair->closed = true;
    closed_.push_back(end.pair);
  }

  /// While `end` does not take its bytes, its source is not read.
  bool write(End& end, End& source) {
    if (!end.output.flush(end.socket.get())) return false;
    const bool waits = !end.output.empty();
    if (waits == end.waits) return true;
    end.waits = waits;
    for (End* each : {&end, &source}) {
      const End& other = each == &end ? source : end;
      bench::change_watch(poll_.get(), each->socket.get(),
                          (other.waits ? 0u : EPOLLIN) | (each->waits ? EPOLLOUT : 0u), each);
    }
    return true;
  }

  std::vector<std::uint16_t> to_;
  std::size_t next_ = 0;
  Descriptor poll_;
  Descriptor listening_;
  std::vector<Pair*> closed_;
  char buffer_[64 << 10];
};

}  // namespace

int main(int count, char** arguments) {
  std::uint16_t port = 0;
  std::vector<std::uint16_t> to;
  CLI::App app("Passes bytes between loopback ports.");
  app.add_option("--port", port, "Where it listens")->required();
  app.add_option("--to", to, "Ports of those behind it, taken in turn")->required()->delimiter(',');
  CLI11_PARSE(app, count, arguments);
  Pump(port, to).run();
}
