#include "router/pages/http_server.hpp"

#include <stdexcept>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

#include "router/serve/listener.hpp"

namespace router {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::asio::ip::tcp;
using boost::system::error_code;

constexpr std::chrono::seconds kSilenceMax{10};
constexpr std::size_t kPageClientsMax = 64;

}  // namespace

struct HttpServer::Parts : std::enable_shared_from_this<HttpServer::Parts> {
  Parts(const std::string& host, std::uint16_t port, Pages pages_)
      : acceptor(listening(loop, host, port)), pages(std::move(pages_)) {}

  void accept() {
    acceptor.async_accept([this](const error_code& error, tcp::socket socket) {
      if (error == boost::asio::error::operation_aborted) return;
      if (!error && clients < kPageClientsMax)
        std::make_shared<Client>(*this, std::move(socket))->read();
      if (!error) {
        accept();
        return;
      }
      pause.expires_after(std::chrono::milliseconds(100));
      pause.async_wait([this](const error_code& cancelled) {
        if (!cancelled) accept();
      });
    });
  }

  http::response<http::string_body> answer(const http::request<http::empty_body>& request) const {
    HttpPage page;
    const std::string target(request.target());
    const auto found = pages.find(target.substr(0, target.find('?')));
    if (request.method() != http::verb::get && request.method() != http::verb::head)
      page = {405, "application/json", "{\"message\":\"only GET is served here\"}"};
    else if (found == pages.end())
      page = {404, "application/json", "{\"message\":\"there is no such page\"}"};
    else
      page = found->second();
    http::response<http::string_body> response(static_cast<http::status>(page.status),
                                               request.version());
    response.set(http::field::content_type, page.content_type);
    response.keep_alive(request.keep_alive());
    const std::size_t bytes = page.body.size();
    if (request.method() != http::verb::head) response.body() = std::move(page.body);
    response.content_length(bytes);
    return response;
  }

  struct Client : std::enable_shared_from_this<Client> {
    Client(Parts& parts_, tcp::socket socket) : parts(parts_), stream(std::move(socket)) {
      ++parts.clients;
    }
    ~Client() { --parts.clients; }

    void read() {
      request = {};
      stream.expires_after(kSilenceMax);
      http::async_read(stream, buffer, request,
                       [self = shared_from_this()](const error_code& error, std::size_t) {
                         if (!error) self->write();
                       });
    }
    void write() {
      response = parts.answer(request);
      http::async_write(stream, response,
                        [self = shared_from_this()](const error_code& error, std::size_t) {
                          if (!error && self->response.keep_alive()) self->read();
                        });
    }

    Parts& parts;
    beast::tcp_stream stream;
    beast::flat_buffer buffer{64 << 10};
    http::request<http::empty_body> request;
    http::response<http::string_body> response;
  };

  boost::asio::io_context loop{1};
  tcp::acceptor acceptor;
  boost::asio::steady_timer pause{loop};
  Pages pages;
  std::size_t clients = 0;
  std::thread thread;
};

HttpServer::HttpServer(const std::string& host, std::uint16_t port, Pages pages)
    : parts_(std::make_shared<Parts>(host, port, std::move(pages))) {
  parts_->accept();
  parts_->thread = std::thread([parts = parts_.get()] { parts->loop.run(); });
}

HttpServer::~HttpServer() {
  parts_->loop.stop();
  parts_->thread.join();
}

std::uint16_t HttpServer::port() const { return parts_->acceptor.local_endpoint().port(); }

}  // namespace router
