#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include "fast/decoder.hpp"
#include "fast/encoder.hpp"

namespace test_support {

/// A Fast server on a free loopback port that answers only what it is told to, or all with an empty
/// END. Lives on the test's loop.
class ScriptedServer {
 public:
  struct Request {
    std::size_t connection = 0;
    std::uint32_t message_id = 0;
    std::string payload;
  };

  explicit ScriptedServer(boost::asio::io_context& loop, std::uint16_t port = 0)
      : acceptor_(loop, {boost::asio::ip::make_address("127.0.0.1"), port}) {
    // Little is under way while it does not read.
    acceptor_.set_option(boost::asio::socket_base::receive_buffer_size(64 << 10));
    accept();
  }

  [[nodiscard]] boost::asio::ip::tcp::endpoint endpoint() const {
    return acceptor_.local_endpoint();
  }

  std::vector<Request> requests;
  std::size_t accepted = 0;
  bool close_at_once = false;
  bool answers_all = false;

  /// From the next read on.
  void stop_reading() { reading_ = false; }
  void go_on() {
    reading_ = true;
    for (const std::size_t index : std::exchange(stalled_, {})) read(index);
  }

  void answer(const Request& request, fast::Status status, const std::string& d = "[]") {
    send(request.connection, request.message_id, status,
         R"({"m":{"uts":1,"name":"x"},"d":)" + d + "}");
  }
  void send(std::size_t connection, std::uint32_t message_id, fast::Status status,
            const std::string& payload) {
    std::string frame;
    fast::append_frame(frame, fast::Version::v1, status, message_id, payload);
    send_bytes(connection, frame);
  }
  void send_bytes(std::size_t connection, std::string_view bytes) {
    boost::system::error_code ignored;
    boost::asio::write(connections_.at(connection)->socket, boost::asio::buffer(bytes), ignored);
  }
  void drop(std::size_t connection) {
    boost::system::error_code ignored;
    connections_.at(connection)->socket.close(ignored);
  }
  void stop() {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    for (std::size_t i = 0; i < connections_.size(); ++i) drop(i);
  }
  [[nodiscard]] std::size_t open_connections() const {
    std::size_t open = 0;
    for (const auto& connection : connections_) open += connection->socket.is_open() ? 1u : 0u;
    return open;
  }

 private:
  struct Connection {
    explicit Connection(boost::asio::ip::tcp::socket taken) : socket(std::move(taken)) {}
    boost::asio::ip::tcp::socket socket;
    fast::Decoder decoder{1 << 20};
    char buffer[65536];
  };

  void accept() {
    acceptor_.async_accept(
        [this](const boost::system::error_code& error, boost::asio::ip::tcp::socket socket) {
          if (error) return;
          ++accepted;
          socket.set_option(boost::asio::ip::tcp::no_delay(true));
          connections_.push_back(std::make_shared<Connection>(std::move(socket)));
          if (close_at_once)
            drop(connections_.size() - 1);
          else
            read(connections_.size() - 1);
          accept();
        });
  }

  void read(std::size_t index) {
    if (!reading_) {
      stalled_.push_back(index);
      return;
    }
    auto connection = connections_[index];
    connection->socket.async_read_some(
        boost::asio::buffer(connection->buffer),
        [this, index, connection](const boost::system::error_code& error, std::size_t bytes) {
          if (error) {
            boost::system::error_code ignored;
            connection->socket.close(ignored);
            return;
          }
          connection->decoder.feed({connection->buffer, bytes});
          for (auto decoded = connection->decoder.next();
               std::holds_alternative<fast::Frame>(decoded); decoded = connection->decoder.next()) {
            const auto& frame = std::get<fast::Frame>(decoded);
            requests.push_back({index, frame.message_id, std::string(frame.payload)});
            if (answers_all) answer(requests.back(), fast::Status::end);
          }
          connection->decoder.settle();
          read(index);
        });
  }

  boost::asio::ip::tcp::acceptor acceptor_;
  std::vector<std::shared_ptr<Connection>> connections_;
  bool reading_ = true;
  std::vector<std::size_t> stalled_;
};

}  // namespace test_support
