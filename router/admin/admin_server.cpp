#include "router/admin/admin_server.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <set>
#include <stdexcept>
#include <thread>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include "router/admin/peer.hpp"
#include "router/log/log.hpp"

namespace router {
namespace {

using boost::asio::local::stream_protocol;
using boost::system::error_code;

constexpr std::size_t kLineBytesMax = 16 << 20;  // a list of a million vnodes
constexpr std::size_t kClientsMax = 32;
constexpr std::chrono::milliseconds kLastAnswers{500};  // for a client that does not read its own

/// Only a socket that nobody listens on is in nobody's way.
void remove_stale(const std::string& path) {
  struct stat found {};
  if (lstat(path.c_str(), &found) != 0) return;
  if (!S_ISSOCK(found.st_mode))
    throw std::runtime_error("admin socket " + path + ": something else is there");
  boost::asio::io_context loop;
  stream_protocol::socket probe(loop);
  error_code refused;
  probe.connect(stream_protocol::endpoint(path), refused);
  if (!refused)
    throw std::runtime_error("admin socket " + path + ": another process listens there");
  unlink(path.c_str());
}

}  // namespace

struct AdminServer::Parts {
  Parts(const std::string& path_, Handler handler_, Log& log_)
      : path(path_), handler(std::move(handler_)), log(log_), acceptor(*loop) {
    std::error_code ignored;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
    remove_stale(path);
    error_code error;
    acceptor.open();
    const mode_t before = umask(0177);  // 0600 from its first moment on
    acceptor.bind(stream_protocol::endpoint(path), error);
    umask(before);
    if (!error) acceptor.listen(static_cast<int>(kClientsMax), error);
    if (error) throw std::runtime_error("admin socket " + path + ": " + error.message());
  }

  /// One client: line by line until it leaves.
  struct Client : std::enable_shared_from_this<Client> {
    Client(Parts& parts_, stream_protocol::socket socket_)
        : parts(parts_), socket(std::move(socket_)), count(parts.clients) {
      ++*count;
    }
    ~Client() { --*count; }

    void read() {
      auto buffer = boost::asio::dynamic_buffer(input, kLineBytesMax);
      boost::asio::async_read_until(
          socket, buffer, '\n',
          [self = shared_from_this()](const error_code& error, std::size_t bytes) {
            if (error) return;  // gone, or a line without an end: nothing was done
            const std::string line = self->input.substr(0, bytes - 1);
            self->input.erase(0, bytes);
            self->parts.handler(line, self->reply());
          });
    }
    /// Whoever answers may do so when the client, or all of us, are gone: the loop alone is held
    /// until then, and everything else happens on its thread.
    Reply reply() {
      parts.answering.insert(shared_from_this());
      return [weak = weak_from_this(), loop = parts.loop,
              unwritten = parts.unwritten](std::string text) {
        ++*unwritten;
        boost::asio::post(*loop, [weak, text = std::move(text)]() mutable {
          const auto self = weak.lock();
          if (self == nullptr) return;  // so are `parts`
          self->parts.answering.erase(self);
          self->output = std::move(text) + "\n";
          self->write();
        });
      };
    }
    void write() {
      boost::asio::async_write(socket, boost::asio::buffer(output),
                               [self = shared_from_this()](const error_code& error, std::size_t) {
                                 --*self->parts.unwritten;
                                 if (self->parts.ending) return self->parts.end();
                                 if (!error) self->read();
                               });
    }

    Parts& parts;
    stream_protocol::socket socket;
    std::shared_ptr<std::atomic<std::size_t>> count;  // a client may outlive `parts` by a moment
    std::string input;
    std::string output;
  };

  /// A line that fits the socket's empty buffer; then the connection ends.
  static void refuse(stream_protocol::socket& socket, const std::string& code,
                     const std::string& message) {
    const std::string line =
        R"({"v":1,"ok":false,"error":{"code":")" + code + R"(","message":")" + message + "\"}}\n";
    error_code ignored;
    socket.non_blocking(true, ignored);
    socket.write_some(boost::asio::buffer(line), ignored);
  }

  /// Ends the loop when what has been answered is written: whoever asked for the router's end waits
  /// for that. An answer counts from the moment it is given: what a handler posts to its own loop
  /// is queued only when the handler returns, so that this call may overtake it.
  void end() {
    ending = true;
    if (*unwritten == 0) return loop->stop();
    last_moment.expires_after(kLastAnswers);
    last_moment.async_wait([this](const error_code& error) {
      if (!error) loop->stop();
    });
  }

  void accept() {
    acceptor.async_accept([this](const error_code& error, stream_protocol::socket socket) {
      if (error) return;
      const auto user = peer_user(socket.native_handle());
      if (!user || (*user != 0 && *user != geteuid())) {
        log.warn("admin client refused", {{"user", user ? std::int64_t{*user} : -1}});
        refuse(socket, "not_allowed", "only root and the router's own user are answered here");
      } else if (*clients >= kClientsMax) {
        refuse(socket, "busy", std::to_string(kClientsMax) + " clients are connected already");
      } else {
        std::make_shared<Client>(*this, std::move(socket))->read();
      }
      accept();
    });
  }

  std::string path;
  Handler handler;
  Log& log;
  std::shared_ptr<std::atomic<std::size_t>> clients = std::make_shared<std::atomic<std::size_t>>(0);
  std::shared_ptr<boost::asio::io_context> loop = std::make_shared<boost::asio::io_context>(1);
  stream_protocol::acceptor acceptor;
  boost::asio::steady_timer last_moment{*loop};
  std::shared_ptr<std::atomic<std::size_t>> unwritten =
      std::make_shared<std::atomic<std::size_t>>(0);  // answers
  bool ending = false;
  std::set<std::shared_ptr<Client>> answering;  // whose line is being worked on
  std::thread thread;
};

AdminServer::AdminServer(const std::string& path, Handler handler, Log& log)
    : parts_(std::make_unique<Parts>(path, std::move(handler), log)) {
  parts_->accept();
  parts_->thread = std::thread([parts = parts_.get()] { parts->loop->run(); });
}

AdminServer::~AdminServer() {
  boost::asio::post(*parts_->loop, [parts = parts_.get()] { parts->end(); });
  parts_->thread.join();
  unlink(parts_->path.c_str());
}

}  // namespace router
