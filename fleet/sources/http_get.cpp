#include "fleet/sources/http_get.hpp"

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

namespace fleet {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::asio::ip::tcp;
using boost::system::error_code;

constexpr std::uint32_t kAnswerHeadBytes = 8 << 10;
constexpr std::size_t kBufferBytes = 64 << 10;

std::string in_seconds(std::chrono::milliseconds time) {
  return std::to_string((time.count() + 999) / 1000) + " s";
}

/// One request. It is kept by what it waits for.
class Getting : public std::enable_shared_from_this<Getting> {
  using Kind = HttpAnswer::Kind;

 public:
  Getting(boost::asio::io_context& loop, const config::Endpoint& server, std::string target,
          bool head, HttpBounds bounds, std::function<void(HttpAnswer)> done)
      : server_(server), bounds_(bounds), resolver_(loop), stream_(loop), done_(std::move(done)) {
    const bool v6 = server.host.find(':') != std::string::npos;
    request_.method(head ? http::verb::head : http::verb::get);
    request_.target(target);
    request_.set(http::field::host,
                 (v6 ? "[" + server.host + "]" : server.host) + ":" + std::to_string(server.port));
    request_.set(http::field::user_agent, "moray-router");
    request_.keep_alive(false);
    parser_.emplace();
    parser_->header_limit(kAnswerHeadBytes);
    parser_->body_limit(bounds.bytes);
    parser_->skip(head);
  }

  void begin() {
    error_code error;
    const auto address = boost::asio::ip::make_address(server_.host, error);
    if (!error) return connect({tcp::endpoint(address, server_.port)});
    resolver_.async_resolve(
        server_.host, std::to_string(server_.port),
        [self = shared_from_this()](const error_code& failed,
                                    const tcp::resolver::results_type& found) {
          if (failed)
            return self->end(Kind::failed, "its name can't be looked up: " + failed.message());
          self->connect({found.begin(), found.end()});
        });
  }

 private:
  void connect(const std::vector<tcp::endpoint>& all) {
    stream_.expires_after(bounds_.connect);
    stream_.async_connect(all, [self = shared_from_this()](const error_code& error,
                                                           const tcp::endpoint&) {
      if (error == beast::error::timeout)
        return self->end(Kind::failed, "no connection within " + in_seconds(self->bounds_.connect));
      if (error) return self->end(Kind::failed, "no connection: " + error.message());
      self->write();
    });
  }

  void write() {
    stream_.expires_after(bounds_.whole);  // once for all that follows
    http::async_write(stream_, request_,
                      [self = shared_from_this()](const error_code& error, std::size_t) {
                        if (error) return self->failed(error);
                        self->read_header();
                      });
  }

  void read_header() {
    http::async_read_header(stream_, buffer_, *parser_,
                            [self = shared_from_this()](const error_code& error, std::size_t) {
                              if (error) return self->failed(error);
                              self->look_at_header();
                            });
  }

  void look_at_header() {
    const unsigned status = parser_->get().result_int();
    if (status == 503) return end(Kind::busy, "it is busy (503)");
    if (status == 404) return end(Kind::no, "it does not have it (404)");
    if (status >= 300 && status < 400)
      return end(Kind::no, "it redirects (" + std::to_string(status) + "), which is not followed");
    if (status != 200) return end(Kind::no, "it answers " + std::to_string(status));
    if (parser_->is_done()) return whole();
    http::async_read(stream_, buffer_, *parser_,
                     [self = shared_from_this()](const error_code& error, std::size_t) {
                       if (error) return self->failed(error);
                       self->whole();
                     });
  }

  void failed(const error_code& error) {
    if (error == http::error::body_limit)
      return end(Kind::no, "it sends more than " + std::to_string(bounds_.bytes) + " bytes");
    if (error == beast::error::timeout)
      return end(Kind::failed, "its answer is not there within " + in_seconds(bounds_.whole));
    if (error == http::error::end_of_stream || error == http::error::partial_message)
      return end(Kind::failed, "its answer is cut off");
    if (error.category() == make_error_code(http::error::bad_method).category())
      return end(Kind::no, "its answer is none of HTTP's: " + error.message());
    end(Kind::failed, "the connection is lost: " + error.message());
  }

  void whole() {
    stream_.close();
    done_({Kind::whole, std::move(parser_->get().body()), {}});
  }
  void end(Kind kind, std::string why) {
    stream_.close();
    done_({kind, {}, std::move(why)});
  }

  const config::Endpoint server_;
  const HttpBounds bounds_;
  tcp::resolver resolver_;
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_{kBufferBytes};
  http::request<http::empty_body> request_;
  std::optional<http::response_parser<http::string_body>> parser_;
  const std::function<void(HttpAnswer)> done_;
};

}  // namespace

void http_get(boost::asio::io_context& loop, const config::Endpoint& server, std::string target,
              bool head, HttpBounds bounds, std::function<void(HttpAnswer)> done) {
  const auto getting =
      std::make_shared<Getting>(loop, server, std::move(target), head, bounds, std::move(done));
  boost::asio::post(loop, [getting] { getting->begin(); });
}

}  // namespace fleet
