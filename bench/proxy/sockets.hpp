#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

/// The few socket calls that the bench's own programs share. Loopback only.
namespace bench {

/// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();
  [[nodiscard]] int get() const { return number_; }

 private:
  int number_;
};

/// A listening socket on 127.0.0.1, non-blocking; port 0: any free one. Throws std::system_error.
Descriptor listen_on(std::uint16_t port);
std::uint16_t port_of(const Descriptor& listening);
/// A connection to 127.0.0.1, made when it returns, non-blocking, without Nagle's delay.
Descriptor connect_to(std::uint16_t port);
/// The next connection that waits, likewise; -1: none does.
Descriptor accept_from(const Descriptor& listening);

/// Adds a descriptor to a poll; `what` comes back with its events. `events` as epoll has them.
void watch(int poll, int descriptor, std::uint32_t events, void* what);
void change_watch(int poll, int descriptor, std::uint32_t events, void* what);

/// Bytes on their way out of a socket.
class Output {
 public:
  std::string& bytes() { return bytes_; }
  [[nodiscard]] bool empty() const { return bytes_.empty(); }
  [[nodiscard]] std::size_t size() const { return bytes_.size() - written_; }
  /// Writes as much as the socket takes. False: the connection is lost.
  bool flush(int socket);

 private:
  std::string bytes_;
  std::size_t written_ = 0;
};

}  // namespace bench
