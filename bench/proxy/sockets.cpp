#include "bench/proxy/sockets.hpp"

#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace bench {
namespace {

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void no_delay(int socket) {
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  std::swap(number_, other.number_);
  return *this;
}

Descriptor::~Descriptor() {
  if (number_ >= 0) ::close(number_);
}

Descriptor listen_on(std::uint16_t port) {
  Descriptor listening(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
  const int on = 1;
  ::setsockopt(listening.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_in address = loopback(port);
  if (::bind(listening.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    fail("bind");
  if (::listen(listening.get(), 4096) != 0) fail("listen");
  return listening;
}

std::uint16_t port_of(const Descriptor& listening) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  if (::getsockname(listening.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    fail("getsockname");
  return ntohs(address.sin_port);
}

Descriptor connect_to(std::uint16_t port) {
  Descriptor connection(::socket(AF_INET, SOCK_STREAM, 0));
  const sockaddr_in address = loopback(port);
  if (::connect(connection.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    fail("connect");
  no_delay(connection.get());
  if (::fcntl(connection.get(), F_SETFL, O_NONBLOCK) != 0) fail("fcntl");
  return connection;
}

Descriptor accept_from(const Descriptor& listening) {
  Descriptor connection(::accept4(listening.get(), nullptr, nullptr, SOCK_NONBLOCK));
  if (connection.get() >= 0) no_delay(connection.get());
  return connection;
}

void watch(int poll, int descriptor, std::uint32_t events, void* what) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = what;
  if (::epoll_ctl(poll, EPOLL_CTL_ADD, descriptor, &event) != 0) fail("epoll_ctl");
}

void change_watch(int poll, int descriptor, std::uint32_t events, void* what) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = what;
  if (::epoll_ctl(poll, EPOLL_CTL_MOD, descriptor, &event) != 0) fail("epoll_ctl");
}

bool Output::flush(int socket) {
  while (written_ < bytes_.size()) {
    const ssize_t sent =
        ::send(socket, bytes_.data() + written_, bytes_.size() - written_, MSG_NOSIGNAL);
    if (sent > 0)
      written_ += static_cast<std::size_t>(sent);
    else if (errno == EAGAIN)
      return true;
    else if (errno != EINTR)
      return false;
  }
  bytes_.clear();
  written_ = 0;
  return true;
}

}  // namespace bench
