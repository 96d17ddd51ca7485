#include "tests/support/admin_client.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>

namespace test_support {
namespace {

/// Closed at the end.
struct Connection {
  explicit Connection(const std::string& path)
      : file(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
      throw std::runtime_error(path + ": too long for a socket");
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    if (connect(file, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      throw std::runtime_error(path + ": nobody listens");
  }
  ~Connection() { close(file); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  int file;
};

}  // namespace

nlohmann::json ask_admin(const std::string& socket, const std::string& command,
                         const nlohmann::json& arguments) {
  const Connection connection(socket);
  const std::string line =
      nlohmann::json{{"v", 1}, {"command", command}, {"arguments", arguments}}.dump() + "\n";
  for (std::size_t at = 0; at < line.size();) {
    const ssize_t sent = send(connection.file, line.data() + at, line.size() - at, MSG_NOSIGNAL);
    if (sent <= 0) throw std::runtime_error(command + ": the router is gone");
    at += static_cast<std::size_t>(sent);
  }
  std::string answer;
  char buffer[4096];
  while (answer.empty() || answer.back() != '\n') {
    const ssize_t bytes = recv(connection.file, buffer, sizeof buffer, 0);
    if (bytes <= 0) throw std::runtime_error(command + ": no answer");
    answer.append(buffer, static_cast<std::size_t>(bytes));
  }
  return nlohmann::json::parse(answer);
}

nlohmann::json tell_admin(const std::string& socket, const std::string& command,
                          const nlohmann::json& arguments) {
  const auto answer = ask_admin(socket, command, arguments);
  if (!answer.at("ok").get<bool>())
    throw std::runtime_error(command + ": " + answer.at("error").dump());
  return answer.at("result");
}

}  // namespace test_support
