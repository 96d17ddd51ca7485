#include "router/cli/service.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace router::cli {
namespace {

/// Waits for the child's report; its own end where there is none.
[[noreturn]] void end_as(pid_t child, int pipe) {
  unsigned char code = 1;
  ssize_t bytes;
  do {
    bytes = read(pipe, &code, 1);
  } while (bytes < 0 && errno == EINTR);
  if (bytes == 1) _exit(code);
  int status = 0;
  waitpid(child, &status, 0);
  _exit(WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : 1);
}

/// systemd's protocol: a datagram to a socket that the environment names (sd_notify(3)).
void tell_systemd(const std::string& message) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (path == nullptr || (path[0] != '/' && path[0] != '@')) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t length = std::strlen(path);
  if (length >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, path, length);
  if (path[0] == '@') address.sun_path[0] = '\0';  // Linux's abstract names
  const int socket = ::socket(AF_UNIX, SOCK_DGRAM, 0);
  if (socket < 0) return;
  const auto bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  // Nobody there is no reason not to serve.
  [[maybe_unused]] const ssize_t ignored =
      sendto(socket, message.data(), message.size(), MSG_NOSIGNAL,
             reinterpret_cast<sockaddr*>(&address), bytes);
  close(socket);
}

}  // namespace

Service::Service(bool detach) {
  if (!detach) return;
  int ends[2];
  if (pipe(ends) != 0) throw std::runtime_error("pipe failed");
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child > 0) {
    close(ends[1]);
    end_as(child, ends[0]);
  }
  close(ends[0]);
  pipe_ = ends[1];
  fcntl(pipe_, F_SETFD, FD_CLOEXEC);
  setsid();
  const int nothing = open("/dev/null", O_RDONLY);
  if (nothing >= 0) {
    dup2(nothing, STDIN_FILENO);
    close(nothing);
  }
}

Service::~Service() {
  if (pipe_ >= 0) close(pipe_);
}

void Service::report(unsigned char exit_code) {
  if (pipe_ < 0) return;
  // A starter that is gone has nothing to wait for.
  [[maybe_unused]] const ssize_t ignored = write(pipe_, &exit_code, 1);
  close(pipe_);
  pipe_ = -1;
}

void Service::ready() {
  report(0);
  tell_systemd("READY=1\n");
}

void Service::failed(int exit_code) { report(static_cast<unsigned char>(exit_code)); }

}  // namespace router::cli
