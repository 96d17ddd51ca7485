#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

#include "config/config.hpp"

namespace test_support {

/// A server of HTTP that answers each request with the same bytes, whatever they are. Lives on the
/// loop.
class ScriptedPages {
 public:
  /// After its answer.
  enum class Then : std::uint8_t { close, stay, repeat };

  ScriptedPages(boost::asio::io_context& loop, std::string answer, Then then = Then::close)
      : acceptor_(loop, {boost::asio::ip::address_v4::loopback(), 0}), answer_(std::move(answer)),
        then_(then) {
    accept();
  }

  [[nodiscard]] config::Endpoint endpoint() const {
    return {"127.0.0.1", acceptor_.local_endpoint().port()};
  }
  void answers(std::string answer) { answer_ = std::move(answer); }
  /// What was asked for, whole heads.
  [[nodiscard]] const std::vector<std::string>& asked() const { return asked_; }

  /// A whole answer of status 200.
  static std::string page(const std::string& body) {
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }

 private:
  using Socket = boost::asio::ip::tcp::socket;

  void accept() {
    acceptor_.async_accept([this](const auto& error, Socket socket) {
      if (error) return;
      const auto client = std::make_shared<Socket>(std::move(socket));
      const auto head = std::make_shared<std::string>();
      boost::asio::async_read_until(*client, boost::asio::dynamic_buffer(*head), "\r\n\r\n",
                                    [this, client, head](const auto& failed, std::size_t) {
                                      if (failed) return;
                                      asked_.push_back(*head);
                                      answer(client);
                                    });
      accept();
    });
  }

  void answer(const std::shared_ptr<Socket>& client) {
    const auto bytes = std::make_shared<std::string>(answer_);
    boost::asio::async_write(*client, boost::asio::buffer(*bytes),
                             [this, client, bytes](const auto& error, std::size_t) {
                               if (error) return;
                               if (then_ == Then::repeat) return answer(client);
                               if (then_ == Then::stay) stay_.push_back(client);
                             });
  }

  boost::asio::ip::tcp::acceptor acceptor_;
  std::string answer_;
  const Then then_;
  std::vector<std::string> asked_;
  std::vector<std::shared_ptr<Socket>> stay_;
};

/// Runs the loop until `there`.
inline void run_until(boost::asio::io_context& loop, const std::function<bool()>& there) {
  while (!there()) {
    if (loop.stopped()) loop.restart();
    loop.run_one();
  }
}

}  // namespace test_support
