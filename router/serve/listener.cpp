#include "router/serve/listener.hpp"

#include <stdexcept>

#include <boost/asio/ip/v6_only.hpp>

#include "router/log/log.hpp"

namespace router {
namespace {

using boost::asio::ip::tcp;

constexpr int kBacklog = 1024;
// After an accept failed for want of descriptors: trying again at once would spin.
constexpr std::chrono::milliseconds kPause{100};

}  // namespace

tcp::acceptor listening(boost::asio::io_context& loop, const std::string& host,
                        std::uint16_t port) {
  try {
    const tcp::endpoint endpoint(boost::asio::ip::make_address(host), port);
    tcp::acceptor acceptor(loop);
    acceptor.open(endpoint.protocol());
    acceptor.set_option(tcp::acceptor::reuse_address(true));
    if (endpoint.address().is_v6())
      acceptor.set_option(boost::asio::ip::v6_only(!endpoint.address().is_unspecified()));
    acceptor.bind(endpoint);
    acceptor.listen(kBacklog);
    return acceptor;
  } catch (const boost::system::system_error& error) {
    throw std::runtime_error("cannot listen on " + host + " port " + std::to_string(port) + ": " +
                             error.code().message());
  }
}

Listener::Listener(boost::asio::io_context& loop, const std::string& host, std::uint16_t port,
                   Hand hand, std::function<bool()> may_accept, Log& log)
    : acceptor_(listening(loop, host, port)), pause_timer_(loop),
      port_(acceptor_.local_endpoint().port()), hand_(std::move(hand)),
      may_accept_(std::move(may_accept)), log_(log) {}

void Listener::start() { accept(); }

void Listener::stop() {
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  pause_timer_.cancel();
}

void Listener::accept() {
  if (!acceptor_.is_open()) return;
  if (!may_accept_()) {
    pause();
    return;
  }
  acceptor_.async_accept([this](const boost::system::error_code& error, tcp::socket socket) {
    if (error == boost::asio::error::operation_aborted) return;
    if (error) {
      log_.error("accept failed", {{"reason", error.message()}});
      pause();
      return;
    }
    boost::system::error_code failed;
    const auto protocol = socket.local_endpoint(failed).protocol();
    if (!failed) {
      const int handle = socket.release(failed);
      if (!failed) hand_(protocol, handle);
    }
    accept();
  });
}

void Listener::pause() {
  pause_timer_.expires_after(kPause);
  pause_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) accept();
  });
}

}  // namespace router
