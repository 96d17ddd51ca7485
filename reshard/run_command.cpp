#include "reshard/run_command.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <optional>
#include <system_error>
#include <thread>

namespace reshard {
namespace {

using Clock = std::chrono::steady_clock;

/// Between two looks: at first, and as long as it may come to be. Most commands end at once.
constexpr std::chrono::milliseconds kFirstLook{1}, kLook{10};
constexpr std::chrono::seconds kGrace{2};

void check(int error, const char* what) {
  if (error != 0) throw std::system_error(error, std::generic_category(), what);
}

/// The end of a pipe that a command reads from. Never waits for it.
class Input {
 public:
  Input(int end, std::string_view bytes) : end_(end), bytes_(bytes) {
    fcntl(end_, F_SETFL, fcntl(end_, F_GETFL) | O_NONBLOCK);
  }
  ~Input() { finish(); }
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;

  /// As much as the pipe takes; closed when all is written, or nobody reads any more.
  void write_some() {
    while (end_ >= 0 && !bytes_.empty()) {
      const ssize_t written = write(end_, bytes_.data(), bytes_.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0 && errno == EAGAIN) return;
      if (written < 0) break;
      bytes_.remove_prefix(static_cast<std::size_t>(written));
    }
    finish();
  }

 private:
  void finish() {
    if (end_ >= 0) close(end_);
    end_ = -1;
  }

  int end_;
  std::string_view bytes_;
};

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
    check(posix_spawnattr_setpgroup(&attributes, 0), "posix_spawnattr_setpgroup");
    check(posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP),
          "posix_spawnattr_setflags");
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;
  ~SpawnSettings() {
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
  }
};

/// This process's variables, but for those that are among `more`, and those.
std::vector<char*> with_more(std::vector<std::string>& more) {
  std::vector<char*> all;
  for (char** each = environ; *each != nullptr; ++each) {
    const std::string_view own = *each;
    const std::string_view name = own.substr(0, own.find('=') + 1);
    if (std::none_of(more.begin(), more.end(),
                     [&](const std::string& other) { return other.starts_with(name); }))
      all.push_back(*each);
  }
  for (std::string& each : more) all.push_back(each.data());
  all.push_back(nullptr);
  return all;
}

/// nullopt: it runs.
std::optional<int> ended(pid_t process) {
  int status = 0;
  const pid_t which = waitpid(process, &status, WNOHANG);
  if (which < 0 && errno != EINTR) check(errno, "waitpid");
  if (which != process) return std::nullopt;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// All of its group, since a shell's children outlive it.
void end_group(pid_t process) {
  kill(-process, SIGTERM);
  bool reaped = false;
  for (const auto until = Clock::now() + kGrace; Clock::now() < until && kill(-process, 0) == 0;) {
    reaped = reaped || ended(process).has_value();
    std::this_thread::sleep_for(kLook);
  }
  kill(-process, SIGKILL);
  while (!reaped && !ended(process)) std::this_thread::sleep_for(kLook);
}

}  // namespace

int run_command(const std::string& command, std::string_view input, const CommandLimits& limits) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) check(errno, "pipe2");
  std::string shell = "sh", option = "-c", text = command;
  char* arguments[] = {shell.data(), option.data(), text.data(), nullptr};
  std::vector<std::string> more = limits.environment;
  std::vector<char*> environment = with_more(more);
  pid_t process = 0;
  Input to_command(ends[1], input);
  const SpawnSettings settings(ends[0]);
  const int error = posix_spawn(&process, "/bin/sh", &settings.files, &settings.attributes,
                                arguments, environment.data());
  close(ends[0]);
  check(error, "/bin/sh");
  auto look = kFirstLook;
  for (const auto until = Clock::now() + limits.time;;) {
    to_command.write_some();
    if (const auto code = ended(process)) return *code;
    const bool late = Clock::now() > until;
    if (late || limits.interrupted()) {
      end_group(process);
      throw CommandEnded(late ? "took more than " + std::to_string(limits.time.count() / 1000) +
                                    " s, and was ended"
                              : "was interrupted");
    }
    std::this_thread::sleep_for(look);
    look = std::min(2 * look, kLook);
  }
}

}  // namespace reshard
