#include "router/loop/acceptor.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "router/log/log.hpp"

namespace router {
namespace {

constexpr int kBacklog = 1024;
// Trying again at once would spin.
constexpr std::chrono::milliseconds kPause{100};

std::string reason(int error) { return std::generic_category().message(error); }

/// Whether the process has some descriptors again: each that comes back would be gone at once, and
/// those who keep one in reserve could not get theirs.
bool has_room() {
  constexpr std::size_t kRoom = 16;
  std::vector<int> opened;
  while (opened.size() < kRoom) {
    const int number = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (number < 0) break;
    opened.push_back(number);
  }
  for (const int number : opened) close(number);
  return opened.size() == kRoom;
}

void close_on_exec(int number) { fcntl(number, F_SETFD, FD_CLOEXEC); }

/// Only a socket that nobody listens on is in nobody's way.
void remove_stale(const std::string& path, const sockaddr_un& address) {
  struct stat found {};
  if (lstat(path.c_str(), &found) != 0) return;
  if (!S_ISSOCK(found.st_mode))
    throw std::runtime_error("admin socket " + path + ": something else is there");
  const int probe = socket(AF_UNIX, SOCK_STREAM, 0);
  const bool answered = probe >= 0 && connect(probe, reinterpret_cast<const sockaddr*>(&address),
                                              sizeof address) == 0;
  if (probe >= 0) close(probe);
  if (answered)
    throw std::runtime_error("admin socket " + path + ": another process listens there");
  unlink(path.c_str());
}

}  // namespace

ListeningSocket ListeningSocket::tcp(const std::string& host, std::uint16_t port) {
  const auto fail = [&](const std::string& why) {
    return std::runtime_error("cannot listen on " + host + " port " + std::to_string(port) + ": " +
                              why);
  };
  sockaddr_storage address{};
  socklen_t length = 0;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address);
  if (inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    length = sizeof *v4;
  } else if (inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    length = sizeof *v6;
  } else {
    throw fail(reason(EINVAL));
  }
  ListeningSocket made(socket(address.ss_family, SOCK_STREAM, 0));
  if (made.number_ < 0) throw fail(reason(errno));
  close_on_exec(made.number_);
  const int on = 1;
  setsockopt(made.number_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address.ss_family == AF_INET6) {
    const int only = IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr) ? 0 : 1;
    setsockopt(made.number_, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
  }
  if (bind(made.number_, reinterpret_cast<const sockaddr*>(&address), length) != 0 ||
      listen(made.number_, kBacklog) != 0)
    throw fail(reason(errno));
  return made;
}

ListeningSocket ListeningSocket::local(const std::string& path) {
  const auto fail = [&](const std::string& why) {
    return std::runtime_error("admin socket " + path + ": " + why);
  };
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw fail("its path is too long");
  path.copy(address.sun_path, path.size());
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  remove_stale(path, address);
  ListeningSocket made(socket(AF_UNIX, SOCK_STREAM, 0));
  if (made.number_ < 0) throw fail(reason(errno));
  close_on_exec(made.number_);
  const mode_t before = umask(0177);  // 0600 from its first moment on
  const bool bound =
      bind(made.number_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  const int error = errno;
  umask(before);
  if (!bound) throw fail(reason(error));
  if (listen(made.number_, kBacklog) != 0) throw fail(reason(errno));
  return made;
}

ListeningSocket::ListeningSocket(ListeningSocket&& other) noexcept
    : number_(std::exchange(other.number_, -1)) {}

ListeningSocket::~ListeningSocket() {
  if (number_ >= 0) close(number_);
}

int ListeningSocket::release() { return std::exchange(number_, -1); }

int ListeningSocket::family() const {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  getsockname(number_, reinterpret_cast<sockaddr*>(&address), &length);
  return address.ss_family;
}

std::uint16_t ListeningSocket::port() const {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  getsockname(number_, reinterpret_cast<sockaddr*>(&address), &length);
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(&address)->sin6_port
                                             : reinterpret_cast<sockaddr_in*>(&address)->sin_port);
}

/// Kept by what it waits for, so that a wait which ends late finds it.
struct Acceptor::Parts : std::enable_shared_from_this<Acceptor::Parts> {
  Parts(boost::asio::io_context& loop, int number, Options options_,
        std::function<bool()> may_accept_, Take take_, Log& log_)
      : options(options_), may_accept(std::move(may_accept_)), take(std::move(take_)), log(log_),
        socket(loop, number), pause(loop) {
    socket.non_blocking(true);
    keep_reserve();
  }
  ~Parts() {
    if (reserve >= 0) close(reserve);
  }

  void keep_reserve() {
    if (!options.reserve || reserve >= 0) return;
    reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
  }

  void wait() {
    if (stopped) return;
    if (may_accept && !may_accept()) return wait_full();
    if (std::exchange(full, false))
      log.info("connections are accepted again", {{"of", options.whose}});
    socket.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                      [self = shared_from_this()](const boost::system::error_code& error) {
                        if (self->stopped) return;
                        if (error) return self->wait_again();
                        self->accept();
                      });
  }

  void accept() {
    const int accepted = next();
    if (accepted >= 0) {
      if (std::exchange(starved, false))
        log.info("connections are accepted again", {{"of", options.whose}});
      keep_reserve();
      take(accepted);
      return wait();
    }
    const int error = errno;
    if (error == EAGAIN || error == EWOULDBLOCK || error == EINTR || error == ECONNABORTED)
      return wait();
    if (!std::exchange(starved, true))
      log.error("a connection can't be accepted; it waits",
                {{"of", options.whose}, {"reason", reason(error)}});
    wait_again();
  }

  /// The next connection; below 0: errno says why not.
  int next() {
    int accepted = ::accept(socket.native_handle(), nullptr, nullptr);
    if (accepted < 0 && (errno == EMFILE || errno == ENFILE) && reserve >= 0) {
      close(std::exchange(reserve, -1));
      accepted = ::accept(socket.native_handle(), nullptr, nullptr);
    }
    if (accepted < 0) return accepted;
    close_on_exec(accepted);
    // Some systems hand the listening socket's mode on.
    fcntl(accepted, F_SETFL, fcntl(accepted, F_GETFL) & ~O_NONBLOCK);
    return accepted;
  }

  /// A bound that is reached is somebody's to know of.
  void wait_full() {
    if (!std::exchange(full, true))
      log.warn("the bound on connections is reached; newcomers wait", {{"of", options.whose}});
    wait_again();
  }

  void wait_again() {
    pause.expires_after(kPause);
    pause.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
      if (error || self->stopped) return;
      self->keep_reserve();
      if (self->starved && !self->options.reserve && !has_room()) return self->wait_again();
      self->wait();
    });
  }

  void stop() {
    stopped = true;
    boost::system::error_code ignored;
    socket.close(ignored);
    pause.cancel();
  }

  Options options;
  std::function<bool()> may_accept;
  Take take;
  Log& log;
  boost::asio::posix::stream_descriptor socket;
  boost::asio::steady_timer pause;
  int reserve = -1;
  bool stopped = false;
  bool starved = false;  // of descriptors, and it was said
  bool full = false;     // the same of the bound
};

Acceptor::Acceptor(boost::asio::io_context& loop, ListeningSocket socket, Options options,
                   std::function<bool()> may_accept, Take take, Log& log)
    : parts_(std::make_shared<Parts>(loop, socket.release(), options, std::move(may_accept),
                                     std::move(take), log)) {}

Acceptor::~Acceptor() { parts_->stop(); }

void Acceptor::start() { parts_->wait(); }

void Acceptor::stop() { parts_->stop(); }

}  // namespace router
