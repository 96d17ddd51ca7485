#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

namespace services {

/// Stands between clients and a server on loopback ports: it cuts connections, or swallows what
/// they say. Lives on its loop's thread.
class Relay {
 public:
  using tcp = boost::asio::ip::tcp;

  /// `server`: its port.
  Relay(boost::asio::io_context& loop, std::uint16_t server)
      : loop_(loop), server_(boost::asio::ip::address_v4::loopback(), server),
        acceptor_(loop, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0)) {
    accept();
  }
  ~Relay() {
    acceptor_.close();
    cut();
  }
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  [[nodiscard]] std::string address() const {
    return "127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port());
  }
  /// All that there are now.
  void cut() {
    for (const auto& each : pairs_)
      if (const auto pair = each.lock()) pair->close();
    pairs_.clear();
  }
  /// Bytes come, and go nowhere: no end and no reset says so.
  void swallow(bool swallows) { *swallows_ = swallows; }

 private:
  struct Pair : std::enable_shared_from_this<Pair> {
    Pair(tcp::socket a, tcp::socket b, std::shared_ptr<const bool> swallows_)
        : ends{std::move(a), std::move(b)}, swallows(std::move(swallows_)) {}
    void close() {
      boost::system::error_code ignored;
      for (tcp::socket& end : ends) end.close(ignored);
    }
    void pump(std::size_t from) {
      ends[from].async_read_some(
          boost::asio::buffer(bytes[from]),
          [self = shared_from_this(), from](const boost::system::error_code& error,
                                            std::size_t count) {
            if (error) return self->close();
            if (*self->swallows) return self->pump(from);
            boost::asio::async_write(
                self->ends[1 - from], boost::asio::buffer(self->bytes[from], count),
                [self, from](const boost::system::error_code& failed, std::size_t) {
                  if (failed) return self->close();
                  self->pump(from);
                });
          });
    }
    std::array<tcp::socket, 2> ends;
    std::array<std::array<char, 4096>, 2> bytes{};
    std::shared_ptr<const bool> swallows;
  };

  void accept() {
    acceptor_.async_accept([this](const boost::system::error_code& error, tcp::socket client) {
      if (error) return;
      boost::system::error_code failed;
      tcp::socket server(loop_);
      server.connect(server_, failed);  // on loopback: at once
      if (!failed) {
        const auto pair = std::make_shared<Pair>(std::move(client), std::move(server), swallows_);
        pairs_.push_back(pair);
        pair->pump(0);
        pair->pump(1);
      }
      accept();
    });
  }

  boost::asio::io_context& loop_;
  const tcp::endpoint server_;
  tcp::acceptor acceptor_;
  std::vector<std::weak_ptr<Pair>> pairs_;
  std::shared_ptr<bool> swallows_ = std::make_shared<bool>(false);
};

}  // namespace services
