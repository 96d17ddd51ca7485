#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

namespace router {

class Log;

/// A socket that is bound and listens. `port` 0: the system chooses. `::` listens on IPv4 too.
/// Throws std::runtime_error naming the address when that fails.
boost::asio::ip::tcp::acceptor listening(boost::asio::io_context& loop, const std::string& host,
                                         std::uint16_t port);

/// Accepts clients and hands their sockets out. One acceptor serves all workers, since not every
/// system balances SO_REUSEPORT. Lives on the main thread's loop.
class Listener {
 public:
  /// Takes over an accepted socket (native handle).
  using Hand = std::function<void(boost::asio::ip::tcp protocol, int socket)>;

  /// `host`, `port`: as of `listening`, which throws. `may_accept`: asked before each accept; while
  /// false the system's backlog holds newcomers.
  Listener(boost::asio::io_context& loop, const std::string& host, std::uint16_t port, Hand hand,
           std::function<bool()> may_accept, Log& log);

  void start();
  /// No further client is accepted.
  void stop();

  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  void accept();
  void pause();

  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer pause_timer_;
  std::uint16_t port_ = 0;
  Hand hand_;
  std::function<bool()> may_accept_;
  Log& log_;
};

}  // namespace router
