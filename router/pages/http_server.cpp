#include "router/pages/http_server.hpp"

#include <optional>

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

#include "router/log/log.hpp"
#include "router/loop/acceptor.hpp"
#include "router/loop/guests.hpp"
#include "router/loop/loop_thread.hpp"

namespace router {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::asio::ip::tcp;
using boost::system::error_code;

constexpr std::chrono::seconds kSilenceMax{10};
constexpr std::size_t kPageClientsMax = 64;
constexpr std::uint32_t kHeaderBytesMax = 16 << 10;
constexpr std::uint64_t kBodyBytesMax = 16 << 10;

using Response = http::response<http::string_body>;

HttpPage problem(int status, const char* message) {
  return {status, "application/json", std::string("{\"message\":\"") + message + "\"}"};
}

Response response_of(HttpPage page, unsigned version, bool keep_alive, bool with_body) {
  Response response(static_cast<http::status>(page.status), version);
  response.set(http::field::content_type, page.content_type);
  response.keep_alive(keep_alive);
  const std::size_t bytes = page.body.size();
  if (with_body) response.body() = std::move(page.body);
  response.content_length(bytes);
  return response;
}

/// What a request that could not be read is answered; nullopt: the client has left, or is silent.
std::optional<HttpPage> answer_to(const error_code& error) {
  if (error == http::error::header_limit || error == http::error::buffer_overflow)
    return problem(431, "the headers are too long");
  if (error == http::error::body_limit) return problem(413, "the body is too long");
  if (error.category() == make_error_code(http::error::bad_method).category() &&
      error != http::error::end_of_stream && error != http::error::partial_message)
    return problem(400, "this is no HTTP request");
  return std::nullopt;
}

}  // namespace

struct HttpServer::Parts {
  Parts(ListeningSocket socket, Pages pages_, Log& log)
      : pages(std::move(pages_)), port(socket.port()), family(socket.family()),
        thread("pages", log), acceptor(
                                  thread.loop(), std::move(socket), {"pages", true}, nullptr,
                                  [this](int number) { welcome(number); }, log) {}

  void welcome(int number) {
    tcp::socket socket(thread.loop(), family == AF_INET6 ? tcp::v6() : tcp::v4(), number);
    const auto client = std::make_shared<Client>(*this, std::move(socket));
    // A guest that is made to leave may be on its way out already.
    client->place = guests.enter([weak = std::weak_ptr(client)] {
      if (const auto leaving = weak.lock()) leaving->stream.close();
    });
    if (client->place) return client->read();
    client->keep_alive = false;
    client->write(problem(503, "too many clients ask for pages"), 11, true);
  }

  HttpPage page_of(const http::request<http::string_body>& request) const {
    if (request.method() != http::verb::get && request.method() != http::verb::head)
      return problem(405, "only GET is served here");
    const std::string target(request.target());
    const auto found = pages.find(target.substr(0, target.find('?')));
    if (found == pages.end()) return problem(404, "there is no such page");
    try {
      return found->second();
    } catch (const std::exception&) {
      return problem(500, "the page can't be made");
    }
  }

  struct Client : std::enable_shared_from_this<Client> {
    Client(Parts& parts_, tcp::socket socket) : parts(parts_), stream(std::move(socket)) {}
    ~Client() {
      if (place) parts.guests.left(*place);
    }

    void read() {
      parser.emplace();
      parser->header_limit(kHeaderBytesMax);
      parser->body_limit(kBodyBytesMax);
      parts.guests.idle(*place);
      stream.expires_after(kSilenceMax);
      http::async_read(stream, buffer, *parser,
                       [self = shared_from_this()](const error_code& error, std::size_t) {
                         self->answer(error);
                       });
    }
    void answer(const error_code& error) {
      parts.guests.busy(*place);
      if (!error) {
        const auto& request = parser->get();
        keep_alive = request.keep_alive();
        return write(parts.page_of(request), request.version(),
                     request.method() != http::verb::head);
      }
      keep_alive = false;
      if (auto page = answer_to(error)) write(*std::move(page), 11, true);
    }
    void write(HttpPage page, unsigned version, bool with_body) {
      response = response_of(std::move(page), version, keep_alive, with_body);
      stream.expires_after(kSilenceMax);
      http::async_write(stream, response,
                        [self = shared_from_this()](const error_code& error, std::size_t) {
                          if (error) return;
                          if (self->keep_alive) return self->read();
                          error_code ignored;
                          self->stream.socket().shutdown(tcp::socket::shutdown_send, ignored);
                        });
    }

    Parts& parts;
    std::optional<Guests::Place> place;
    beast::tcp_stream stream;
    beast::flat_buffer buffer{64 << 10};
    std::optional<http::request_parser<http::string_body>> parser;
    Response response;
    bool keep_alive = false;
  };

  Pages pages;
  std::uint16_t port;
  int family;
  Guests guests{kPageClientsMax};
  LoopThread thread;  // its clients know all of the above
  Acceptor acceptor;
};

HttpServer::HttpServer(const std::string& host, std::uint16_t port, Pages pages, Log& log)
    : parts_(std::make_unique<Parts>(ListeningSocket::tcp(host, port), std::move(pages), log)) {
  parts_->acceptor.start();
  parts_->thread.start();
}

/// The thread ends first: nothing is left to it but to be destroyed.
HttpServer::~HttpServer() { parts_->thread.stop(); }

std::uint16_t HttpServer::port() const { return parts_->port; }

}  // namespace router
