#include "router/pages/http_server.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>

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

constexpr std::size_t kBytesASecond = 1 << 20;  // of a large page

using Response = http::response<http::span_body<const char>>;

HttpPage problem(int status, const char* message) {
  return {status, "application/json", std::string("{\"message\":\"") + message + "\"}"};
}

std::string_view body_of(const HttpPage& page) {
  return page.large != nullptr ? std::string_view(*page.large) : std::string_view(page.body);
}

/// Of a page that stays where it is until the response has been sent.
Response response_of(const HttpPage& page, unsigned version, bool keep_alive, bool with_body) {
  Response response(static_cast<http::status>(page.status), version);
  response.set(http::field::content_type, page.content_type);
  for (const auto& [name, value] : page.headers) response.set(name, value);
  response.keep_alive(keep_alive);
  const std::string_view body = body_of(page);
  if (with_body) response.body() = {body.data(), body.size()};
  response.content_length(body.size());
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
  struct Client;
  /// For those who answer later, on any thread.
  struct Link {
    std::mutex mutex;
    Parts* parts = nullptr;  // guarded by mutex; null: the server is gone
  };

  Parts(ListeningSocket socket, Pages pages_, SlowPages slow_pages_, Log& log)
      : pages(std::move(pages_)), slow_pages(std::move(slow_pages_)), port(socket.port()),
        family(socket.family()), thread("pages", log),
        acceptor(
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
    client->write(problem(503, "too many clients ask for pages"));
  }

  /// Answers in its own time where the page does.
  void answer(const std::shared_ptr<Client>& client,
              const http::request<http::string_body>& request) {
    if (request.method() != http::verb::get && request.method() != http::verb::head)
      return client->write(problem(405, "only GET is served here"));
    std::string target(request.target());
    target.resize(std::min(target.find('?'), target.size()));
    try {
      if (const auto found = pages.find(target); found != pages.end())
        return client->write(found->second());
      // `/…/`: paths of slow pages have one name before that of what is asked for.
      const std::size_t end = target.find('/', 1);
      const auto slow =
          end == std::string::npos ? slow_pages.end() : slow_pages.find(target.substr(0, end + 1));
      if (slow == slow_pages.end()) return client->write(problem(404, "there is no such page"));
      slow->second(target.substr(end + 1), later(client));
    } catch (const std::exception&) {
      client->write(problem(500, "the page can't be made"));
    }
  }

  /// The client waits here, and goes with the server: an answer keeps neither of them.
  Answer later(const std::shared_ptr<Client>& client) {
    waiting[client.get()] = client;
    return [link = link, weak = std::weak_ptr(client)](HttpPage page) {
      const std::scoped_lock lock(link->mutex);
      if (link->parts == nullptr) return;
      link->parts->thread.post([parts = link->parts, weak, page = std::move(page)]() mutable {
        const auto waits = weak.lock();
        if (waits == nullptr || parts->waiting.erase(waits.get()) == 0) return;
        waits->write(std::move(page));
      });
    };
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
        version = request.version();
        with_body = request.method() != http::verb::head;
        return parts.answer(shared_from_this(), request);
      }
      keep_alive = false;
      version = 11;
      with_body = true;
      if (auto problem_page = answer_to(error)) write(*std::move(problem_page));
    }
    void write(HttpPage answer) {
      page = std::move(answer);
      response = response_of(page, version, keep_alive, with_body);
      stream.expires_after(kSilenceMax +
                           std::chrono::seconds(body_of(page).size() / kBytesASecond));
      http::async_write(stream, response,
                        [self = shared_from_this()](const error_code& error, std::size_t) {
                          self->page = {};
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
    HttpPage page;
    Response response;
    unsigned version = 11;
    bool keep_alive = false, with_body = true;
  };

  Pages pages;
  SlowPages slow_pages;
  std::shared_ptr<Link> link = std::make_shared<Link>();
  std::uint16_t port;
  int family;
  Guests guests{kPageClientsMax};
  LoopThread thread;  // its clients know all of the above
  Acceptor acceptor;
  std::map<Client*, std::shared_ptr<Client>> waiting;  // for slow pages; the thread's alone
};

HttpServer::HttpServer(const std::string& host, std::uint16_t port, Pages pages, Log& log,
                       SlowPages slow_pages)
    : parts_(std::make_unique<Parts>(ListeningSocket::tcp(host, port), std::move(pages),
                                     std::move(slow_pages), log)) {
  parts_->link->parts = parts_.get();
  parts_->acceptor.start();
  parts_->thread.start();
}

/// The thread ends first: nothing is left to it but to be destroyed.
HttpServer::~HttpServer() {
  parts_->thread.stop();
  const std::scoped_lock lock(parts_->link->mutex);
  parts_->link->parts = nullptr;
}

std::uint16_t HttpServer::port() const { return parts_->port; }

}  // namespace router
