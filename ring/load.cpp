#include "ring/load.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#ifdef __linux__
#include <sys/mman.h>
#include <sys/prctl.h>
#endif
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "ring/image.hpp"
#include "ring/leveldb_store.hpp"

extern char** environ;

namespace ring {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::minutes kTimeMost{10};
constexpr int kLook = 100;  // milliseconds, whether it is stopped
constexpr std::size_t kImageBytesMax = 1 << 30;
constexpr std::size_t kProblemBytesMax = 4'096;
constexpr int kNice = 10;  // others of the machine go first: it is seconds of a core

/// Both ends of a pipe that no other child gets.
class Pipe {
 public:
  Pipe() {
    if (pipe(ends_.data()) != 0)
      throw std::system_error(errno, std::generic_category(), "a pipe can't be made");
    for (const int end : ends_) fcntl(end, F_SETFD, FD_CLOEXEC);
  }
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  [[nodiscard]] int out() const { return ends_[0]; }
  [[nodiscard]] int in() const { return ends_[1]; }
  void close_end(std::size_t end) {
    if (ends_[end] >= 0) close(std::exchange(ends_[end], -1));
  }

 private:
  std::array<int, 2> ends_{-1, -1};
};

struct Ended {
  int status = 0;
  bool over_time = false, stopped = false;
  std::string image, problem;
};

/// A file without a name that holds a text, to be read from its beginning. On Linux it is in
/// memory: neither a full disk nor one that is read-only stands in its way.
class Input {
 public:
  explicit Input(const std::string& text) : file_(make()) {
    if (file_ == nullptr || std::fwrite(text.data(), 1, text.size(), file_) != text.size() ||
        std::fflush(file_) != 0) {
      const int problem = errno;
      if (file_ != nullptr) std::fclose(file_);
      throw std::system_error(problem, std::generic_category());
    }
    std::rewind(file_);
  }
  ~Input() { std::fclose(file_); }
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;

  [[nodiscard]] int descriptor() const { return fileno(file_); }

 private:
  static std::FILE* make() {
#ifdef __linux__
    const int file = memfd_create("edit", MFD_CLOEXEC);
    return file < 0 ? nullptr : fdopen(file, "w+");
#else
    std::FILE* file = std::tmpfile();
    if (file != nullptr) fcntl(fileno(file), F_SETFD, FD_CLOEXEC);
    return file;
#endif
  }

  std::FILE* file_;
};

/// `input` is nullptr where there is nothing to read.
pid_t spawn(const std::vector<std::string>& words, const Input* input, const Pipe& output,
            const Pipe& problems) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  if (input == nullptr)
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  else
    posix_spawn_file_actions_adddup2(&files, input->descriptor(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&files, output.in(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&files, problems.in(), STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  pid_t child = -1;
  const int error =
      posix_spawn(&child, words.front().c_str(), &files, &attributes, arguments.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  if (error != 0) throw std::system_error(error, std::generic_category(), words.front());
  return child;
}

/// False: that end is closed.
bool take(int from, std::string& into, std::size_t most) {
  std::array<char, 64 << 10> piece;
  const ssize_t bytes = read(from, piece.data(), piece.size());
  if (bytes < 0) return errno == EINTR || errno == EAGAIN;
  if (bytes > 0 && into.size() < most) into.append(piece.data(), static_cast<std::size_t>(bytes));
  return bytes > 0;
}

Ended run(const std::vector<std::string>& words, const Input* input,
          const std::atomic<bool>& stop) {
  Ended ended;
  Pipe output, problems;
  const pid_t child = spawn(words, input, output, problems);
  output.close_end(1);
  problems.close_end(1);
  std::array<pollfd, 2> waited{{{output.out(), POLLIN, 0}, {problems.out(), POLLIN, 0}}};
  const auto until = Clock::now() + kTimeMost;
  while (waited[0].fd >= 0 || waited[1].fd >= 0) {
    ended.stopped = stop;
    ended.over_time = Clock::now() >= until;
    if (ended.stopped || ended.over_time) {
      kill(child, SIGKILL);
      break;
    }
    if (poll(waited.data(), waited.size(), kLook) <= 0) continue;
    if (waited[0].revents != 0 && !take(waited[0].fd, ended.image, kImageBytesMax))
      waited[0].fd = -1;
    if (waited[1].revents != 0 && !take(waited[1].fd, ended.problem, kProblemBytesMax))
      waited[1].fd = -1;
  }
  while (waitpid(child, &ended.status, 0) < 0 && errno == EINTR) {
  }
  return ended;
}

bool is_crash(int signal) {
  return signal == SIGABRT || signal == SIGSEGV || signal == SIGBUS || signal == SIGFPE ||
         signal == SIGILL;
}

/// `edit` is nullptr where there is none.
std::shared_ptr<const Ring> read_in_child(std::vector<std::string> words,
                                          const std::filesystem::path& directory,
                                          const std::string* edit, const std::atomic<bool>& stop) {
  words.push_back(directory.string());
  if (edit != nullptr) words.emplace_back("--edit");
  const std::string named = "ring " + directory.string() + ": ";
  const std::string done = edit == nullptr ? "read" : "edited";
  std::optional<Input> input;
  try {
    if (edit != nullptr) input.emplace(*edit);
  } catch (const std::system_error& error) {
    throw RingError(named + "the edit can't be handed to another process: " + error.what());
  }
  Ended ended;
  try {
    ended = run(words, input ? &*input : nullptr, stop);
  } catch (const std::system_error& error) {
    throw RingError(named + "the program that reads it can't be started: " + error.what());
  }
  if (ended.stopped) throw RingError(named + "it is not " + done + " any more");
  if (ended.over_time) throw RingError(named + "it could not be " + done + " within ten minutes");
  if (WIFSIGNALED(ended.status)) {
    const int signal = WTERMSIG(ended.status);
    const std::string by = " (signal " + std::to_string(signal) + ")";
    if (!is_crash(signal))
      throw RingError(named + "the process by which it was to be " + done + " was killed" + by);
    throw RingError(named + "LevelDB has ended the process that read it" + by +
                    ": its files are damaged. " +
                    ended.problem.substr(0, ended.problem.find('\n')));
  }
  if (ended.status != 0) {
    const std::string problem = ended.problem.substr(0, ended.problem.find('\n'));
    throw RingError(!problem.empty()
                        ? problem
                        : named + "the process that read it has ended with code " +
                              std::to_string(WEXITSTATUS(ended.status)) + " and said nothing");
  }
  try {
    return from_image(ended.image);
  } catch (const std::invalid_argument& error) {
    throw RingError(named + error.what());
  }
}

/// What this process edits is a copy that its parent has made: once that has gone, another one may
/// be about to remove it.
bool ends_with_its_parent(int output) {
#ifdef __linux__
  prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
  pollfd reader{output, POLLOUT, 0};  // it may have gone before
  return poll(&reader, 1, 0) >= 0 && (reader.revents & POLLERR) == 0;
}

}  // namespace

Loader load_in_child(std::vector<std::string> words) {
  const auto stop = std::make_shared<std::atomic<bool>>(false);
  const auto all = std::make_shared<const std::vector<std::string>>(std::move(words));
  Load load;
  load.read = [all, stop](const std::filesystem::path& directory) {
    return read_in_child(*all, directory, nullptr, *stop);
  };
  load.edit = [all, stop](const std::filesystem::path& directory, const std::string& edit) {
    return read_in_child(*all, directory, &edit, *stop);
  };
  return {std::move(load), [stop] { *stop = true; }};
}

int write_image(const std::filesystem::path& directory, int output,
                const std::function<void(const std::filesystem::path& directory)>& edit) {
  [[maybe_unused]] const int ignored = nice(kNice);
  if (!ends_with_its_parent(output)) return 1;
  try {
    if (edit) edit(directory);
    const std::string image = to_image(*load_leveldb(directory));
    for (std::string_view left = image; !left.empty();) {
      const ssize_t written = write(output, left.data(), left.size());
      if (written < 0 && errno != EINTR)
        throw std::system_error(errno, std::generic_category(), "the image can't be written");
      if (written > 0) left.remove_prefix(static_cast<std::size_t>(written));
    }
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}

}  // namespace ring
