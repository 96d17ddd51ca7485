#pragma once

#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace test_support {

/// As a server says it whose administrator ends the session.
inline const std::string kEnded = [] {
  const char fields[] =
      "SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator "
      "command\0";
  const auto size = static_cast<unsigned char>(sizeof fields + 4);
  return std::string("E\0\0\0", 4) + static_cast<char>(size) + std::string(fields, sizeof fields);
}();

/// Stands between a shard and its server. What the server says goes through `change`, and where
/// that ends with the end of a session, so does the connection.
class Relay {
 public:
  using Change = std::function<void(std::string& said)>;
  Relay(std::uint16_t server, Change change) : server_(server), change_(std::move(change)) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    REQUIRE(bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(listen(listener_, 16) == 0);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    accepting_ = std::thread([this] { accept_all(); });
  }
  ~Relay() {
    over_ = true;
    shutdown(listener_, SHUT_RDWR);
    accepting_.join();
    for (std::thread& pump : pumps_) pump.join();
    close(listener_);
  }
  /// For libpq.
  [[nodiscard]] std::string url() const {
    return "postgresql://moray@127.0.0.1:" + std::to_string(port_) + "/moray";
  }
  /// True: nothing more is taken from the shard, as by a server that is stopped.
  void hold(bool on) { holds_ = on; }

 private:
  static sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }
  void accept_all() {
    for (int client; (client = accept(listener_, nullptr, nullptr)) >= 0;)
      pumps_.emplace_back([this, client] { pump(client); });
  }
  static bool put(int to, const std::string& bytes) {
    for (std::size_t sent = 0; sent < bytes.size();) {
      const ssize_t some = send(to, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (some <= 0) return false;
      sent += static_cast<std::size_t>(some);
    }
    return true;
  }
  void pump(int client) {
    const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = loopback(server_);
    bool open = connect(server, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    std::vector<char> buffer(1 << 16);
    while (open && !over_) {
      pollfd both[] = {{holds_ ? -1 : client, POLLIN, 0}, {server, POLLIN, 0}};
      if (poll(both, 2, 50) <= 0) continue;
      for (const bool from_client : {true, false}) {
        if ((both[from_client ? 0 : 1].revents & (POLLIN | POLLHUP | POLLERR)) == 0) continue;
        const ssize_t got = recv(from_client ? client : server, buffer.data(), buffer.size(), 0);
        if (got <= 0) open = false;
        if (!open) break;
        std::string said(buffer.data(), static_cast<std::size_t>(got));
        if (!from_client) change_(said);
        open = put(from_client ? server : client, said) && (from_client || !said.ends_with(kEnded));
      }
    }
    close(client);
    close(server);
  }

  std::uint16_t server_, port_ = 0;
  Change change_;
  int listener_ = -1;
  std::atomic<bool> over_{false}, holds_{false};
  std::thread accepting_;
  std::vector<std::thread> pumps_;
};

}  // namespace test_support
