#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>

namespace router {

class Log;

/// A bound socket that listens; closed when it goes.
class ListeningSocket {
 public:
  /// `port` 0: the system chooses. `::` listens on IPv4 too. Throws std::runtime_error naming the
  /// address when that fails.
  static ListeningSocket tcp(const std::string& host, std::uint16_t port);
  /// A UNIX socket of mode 0600, in place of one that a dead process left. Throws
  /// std::runtime_error naming the path: another process listens there, or it can't be made.
  static ListeningSocket local(const std::string& path);

  ListeningSocket(ListeningSocket&& other) noexcept;
  ~ListeningSocket();
  ListeningSocket& operator=(ListeningSocket&&) = delete;

  [[nodiscard]] std::uint16_t port() const;  ///< of a TCP socket
  /// AF_INET, AF_INET6 or AF_UNIX.
  [[nodiscard]] int family() const;
  [[nodiscard]] int release();  ///< the caller's from now on

 private:
  explicit ListeningSocket(int number) : number_(number) {}
  int number_;
};

/// Accepts connections, for clients, pages and operators alike. Where the process has no descriptor
/// left, newcomers wait in the system's backlog, and are taken when it has 16 again, or at once by
/// the descriptor in reserve: nothing that goes wrong once ends it. Lives on its loop's thread,
/// which outlives it.
class Acceptor {
 public:
  struct Options {
    const char* whose = "";  ///< for the log; a literal
    /// A descriptor is kept for when the process has none left: one connection at a time is taken
    /// then.
    bool reserve = false;
  };
  /// Takes over a connected socket (native handle), which is not in non-blocking mode.
  using Take = std::function<void(int socket)>;

  /// `may_accept`: asked before each accept; while false the backlog holds newcomers. Empty:
  /// always.
  Acceptor(boost::asio::io_context& loop, ListeningSocket socket, Options options,
           std::function<bool()> may_accept, Take take, Log& log);
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  void start();
  /// No further connection is accepted.
  void stop();

 private:
  struct Parts;
  std::shared_ptr<Parts> parts_;
};

}  // namespace router
