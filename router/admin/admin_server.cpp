#include "router/admin/admin_server.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <set>

#include <boost/asio/buffer.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include "router/admin/peer.hpp"
#include "router/log/log.hpp"
#include "router/loop/acceptor.hpp"
#include "router/loop/guests.hpp"
#include "router/loop/loop_thread.hpp"

namespace router {
namespace {

using boost::asio::local::stream_protocol;
using boost::system::error_code;

constexpr std::size_t kLineBytesMax = 16 << 20;   // a list of a million vnodes
constexpr std::size_t kLinesBytesMax = 64 << 20;  // of all clients
constexpr std::size_t kClientsMax = 64;
constexpr std::chrono::milliseconds kLastAnswers{500};  // for a client that does not read its own

std::string refusal(const char* code, const std::string& message) {
  return std::string(R"({"v":1,"ok":false,"error":{"code":")") + code + R"(","message":")" +
         message + "\"}}";
}

}  // namespace

/// What clients are counted by. One of them may outlive the server: the loop, and with it whatever
/// waits there, lives as long as anybody who has not answered yet.
struct AdminServer::Counts {
  Guests guests{kClientsMax};
  std::size_t input_bytes = 0;  // that wait for their lines' ends
};

struct AdminServer::Parts {
  Parts(const std::string& path_, Handler handler_, Log& log_)
      : path(path_), handler(std::move(handler_)), log(log_), thread("admin", log_),
        acceptor(
            thread.loop(), ListeningSocket::local(path), {"operators", true}, nullptr,
            [this](int number) { welcome(number); }, log),
        last_moment(thread.loop()) {}

  /// One client: line by line until it leaves.
  struct Client : std::enable_shared_from_this<Client> {
    Client(Parts& parts_, int number)
        : parts(parts_), counts(parts_.counts),
          socket(parts.thread.loop(), stream_protocol(), number) {}
    ~Client() {
      counts->input_bytes -= input.size();
      if (place) counts->guests.left(*place);
    }

    void read() {
      const std::size_t end = input.find('\n', looked_at);
      if (end != std::string::npos) return take(end);
      looked_at = input.size();
      if (input.size() > kLineBytesMax) return refuse("bad_request", "a line is too long");
      if (counts->input_bytes > kLinesBytesMax)
        return refuse("busy", "lines of others are too long");
      counts->guests.idle(*place);
      socket.async_read_some(
          boost::asio::buffer(piece),
          [self = shared_from_this()](const error_code& error, std::size_t bytes) {
            if (error) return;  // gone; of a line without an end nothing was done
            self->input.append(self->piece.data(), bytes);
            self->counts->input_bytes += bytes;
            self->read();
          });
    }
    void take(std::size_t end) {
      const std::string line = input.substr(0, end);
      input.erase(0, end + 1);
      counts->input_bytes -= end + 1;
      looked_at = 0;
      counts->guests.busy(*place);
      parts.answering.insert(shared_from_this());
      parts.handler(line, reply());
    }
    /// Whoever answers may do so when the client, or all of us, are gone: the loop alone is held
    /// until then, and everything else happens on its thread.
    Reply reply() {
      return [weak = weak_from_this(), loop = parts.thread.shared_loop(),
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
    /// A line that fits the socket's empty buffer; then the connection ends.
    void refuse(const char* code, const std::string& message) {
      const std::string line = refusal(code, message) + "\n";
      error_code ignored;
      socket.non_blocking(true, ignored);
      socket.write_some(boost::asio::buffer(line), ignored);
    }

    Parts& parts;  // gone before its last clients: for handlers alone
    std::shared_ptr<Counts> counts;
    std::optional<Guests::Place> place;
    stream_protocol::socket socket;
    std::array<char, 16 << 10> piece;
    std::string input;
    std::size_t looked_at = 0;  // of the input, for a line's end
    std::string output;
  };

  void welcome(int number) {
    const auto client = std::make_shared<Client>(*this, number);
    const auto user = peer_user(number);
    if (!user || (*user != 0 && *user != geteuid())) {
      log.warn("admin client refused", {{"user", user ? std::int64_t{*user} : -1}});
      return client->refuse("not_allowed", "only root and the router's own user are answered here");
    }
    // A guest that is made to leave may be on its way out already.
    client->place = counts->guests.enter([weak = std::weak_ptr(client)] {
      if (const auto leaving = weak.lock()) leaving->socket.close();
    });
    if (!client->place)
      return client->refuse("busy",
                            std::to_string(kClientsMax) + " clients wait for answers already");
    client->read();
  }

  /// Ends the loop when what has been answered is written: whoever asked for the router's end waits
  /// for that. An answer counts from the moment it is given: what a handler posts to its own loop
  /// is queued only when the handler returns, so that this call may overtake it.
  void end() {
    ending = true;
    if (*unwritten == 0) return thread.loop().stop();
    last_moment.expires_after(kLastAnswers);
    last_moment.async_wait([this](const error_code& error) {
      if (!error) thread.loop().stop();
    });
  }

  std::string path;
  Handler handler;
  Log& log;
  std::shared_ptr<Counts> counts = std::make_shared<Counts>();
  std::shared_ptr<std::atomic<std::size_t>> unwritten =
      std::make_shared<std::atomic<std::size_t>>(0);  // answers
  bool ending = false;
  LoopThread thread;  // its clients know all of the above
  Acceptor acceptor;
  boost::asio::steady_timer last_moment;
  std::set<std::shared_ptr<Client>> answering;  // whose line is being worked on
};

AdminServer::AdminServer(const std::string& path, Handler handler, Log& log)
    : parts_(std::make_unique<Parts>(path, std::move(handler), log)) {
  parts_->acceptor.start();
  parts_->thread.start();
}

AdminServer::~AdminServer() {
  parts_->thread.post([parts = parts_.get()] { parts->end(); });
  parts_->thread.join();
  unlink(parts_->path.c_str());
}

}  // namespace router
