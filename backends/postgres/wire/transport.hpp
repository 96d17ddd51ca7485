#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <libpq-fe.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "backends/postgres/wire/hosts.hpp"
#include "backends/postgres/wire/lifetime.hpp"

namespace backends::postgres {

/// libpq's connection on a loop, never blocking: looks names up, connects, waits for its socket.
/// Knows nothing of statements. Lives on one worker.
class Transport {
 public:
  struct Options {
    std::string url;                         ///< libpq's, a URI or `key=value` pairs
    std::vector<NamedHost> hosts;            ///< of the URL, where names are to be looked up
    std::chrono::milliseconds limit{3'000};  ///< for all until `established`
  };
  /// Called from the loop, never from inside a call; each may end us.
  struct Events {
    std::function<void()> connected;  ///< statements may be sent
    /// Something has come; or, not empty, why no more will: what came before can still be taken.
    std::function<void(const std::string& lost)> readable;
    std::function<void(const std::string& why)> failed;
    std::function<void()> drained;  ///< the socket takes more again
  };

  Transport(boost::asio::io_context& loop, Options options, Events events);
  ~Transport() { close(); }
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  /// Null: not begun, or closed.
  [[nodiscard]] PGconn* libpq() const { return connection_; }
  [[nodiscard]] std::string address() const;
  [[nodiscard]] std::string error_text() const;
  /// The session is ready, so that the limit ends.
  void established() { limit_.cancel(); }
  void close();

  /// `readable` is called once, when something has come.
  void await_readable();
  /// Sends what libpq has, now and whenever the socket takes more. False: the connection is lost.
  [[nodiscard]] bool flush();
  /// The socket takes no more now: what is sent waits in this process.
  [[nodiscard]] bool backlogged() const { return writing_; }
  /// Holds small writes back in the kernel until `uncork`.
  void cork();
  void uncork();

 private:
  void connect(const std::vector<Host>& hosts);
  void poll_connect();
  void fail(const std::string& why);
  void assign_socket();
  void await_writable();

  Options options_;
  Events events_;
  std::unique_ptr<HostLookup> lookup_;
  PGconn* connection_ = nullptr;
  /// libpq's socket by a number of our own: libpq closes its own whenever it likes, and another
  /// thread may open that number anew before we take it out of the loop.
  boost::asio::posix::stream_descriptor socket_;
  boost::asio::steady_timer limit_;
  bool closed_ = false, reading_ = false, writing_ = false, corked_ = false;
  Lifetime lifetime_;
};

}  // namespace backends::postgres
