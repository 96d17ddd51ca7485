#include "reshard/run_command.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <system_error>

namespace reshard {
namespace {

void check(int error, const char* what) {
  if (error != 0) throw std::system_error(error, std::generic_category(), what);
}

/// Until all is written, or nobody reads any more.
void write_all(int to, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(to, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

struct SpawnSettings {
  posix_spawn_file_actions_t files{};
  posix_spawnattr_t attributes{};

  explicit SpawnSettings(int standard_input) {
    check(posix_spawn_file_actions_init(&files), "posix_spawn_file_actions_init");
    check(posix_spawn_file_actions_adddup2(&files, standard_input, STDIN_FILENO),
          "posix_spawn_file_actions_adddup2");
    check(posix_spawnattr_init(&attributes), "posix_spawnattr_init");
    sigset_t usual;
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    check(posix_spawnattr_setsigdefault(&attributes, &usual), "posix_spawnattr_setsigdefault");
    check(posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF), "posix_spawnattr_setflags");
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;
  ~SpawnSettings() {
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
  }
};

}  // namespace

int run_command(const std::string& command, std::string_view input) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) check(errno, "pipe2");
  std::string shell = "sh", option = "-c", text = command;
  char* arguments[] = {shell.data(), option.data(), text.data(), nullptr};
  pid_t process = 0;
  const SpawnSettings settings(ends[0]);
  const int error =
      posix_spawn(&process, "/bin/sh", &settings.files, &settings.attributes, arguments, environ);
  close(ends[0]);
  if (error == 0) write_all(ends[1], input);
  close(ends[1]);
  check(error, "/bin/sh");
  int status = 0;
  while (waitpid(process, &status, 0) < 0)
    if (errno != EINTR) check(errno, "waitpid");
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace reshard
