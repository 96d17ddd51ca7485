#include "router/cli/dev_zookeeper.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "router/cli/dev_clusters.hpp"

extern char** environ;

namespace router::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kStarts{60}, kEnds{10};
constexpr const char* kJar = "/usr/share/java/zookeeper.jar";

/// By its own word.
bool serves(std::uint16_t port) {
  constexpr std::string_view kAsked = "ruok", kAnswer = "imok";
  const int asked = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  std::string answer(kAnswer.size(), '\0');
  const auto size = static_cast<ssize_t>(kAnswer.size());
  const bool serving = connect(asked, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
                       send(asked, kAsked.data(), kAsked.size(), MSG_NOSIGNAL) == size &&
                       recv(asked, answer.data(), answer.size(), MSG_WAITALL) == size &&
                       answer == kAnswer;
  close(asked);
  return serving;
}

void write_configuration(const fs::path& directory, std::uint16_t port) {
  std::ofstream file(directory / "zoo.cfg");
  file << "tickTime=500\ninitLimit=20\nsyncLimit=10\nminSessionTimeout=1000\n"
       << "maxSessionTimeout=60000\ndataDir=" << (directory / "data").string()
       << "\nclientPort=" << port << "\nclientPortAddress=127.0.0.1\n"
       << "admin.enableServer=false\nmaxClientCnxns=0\n4lw.commands.whitelist=ruok\n";
  if (!file.flush()) throw std::runtime_error((directory / "zoo.cfg").string() + ": not written");
}

int locked(const fs::path& file) {
  const int lock = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0)
    throw std::runtime_error(file.string() + ": " + std::generic_category().message(errno));
  if (flock(lock, LOCK_EX | LOCK_NB) == 0) return lock;
  close(lock);
  return -1;
}

/// The server that an earlier start has left, if its process is that still.
void end_left(const fs::path& directory) {
  pid_t left = -1;
  std::ifstream(directory / "pid") >> left;
  if (left <= 1) return;
  std::ifstream file("/proc/" + std::to_string(left) + "/cmdline", std::ios::binary);
  const std::string words(std::istreambuf_iterator<char>(file), {});
  if (words.find((directory / "zoo.cfg").string()) != std::string::npos) kill(left, SIGKILL);
}

}  // namespace

DevZooKeeper::DevZooKeeper(fs::path directory) {
  if (!fs::exists(kJar))
    throw std::runtime_error("no ZooKeeper is installed (Debian's package libzookeeper-java)");
  fs::create_directories(directory / "data");
  try {
    take(directory);
    launch(directory);
  } catch (...) {
    stop();
    throw;
  }
}

void DevZooKeeper::take(const fs::path& directory) {
  ours_ = locked(directory / "dev.lock");
  if (ours_ < 0)
    throw std::runtime_error("another `moray-router dev` serves in " +
                             directory.parent_path().string());
  for (const auto until = std::chrono::steady_clock::now() + kEnds;
       (server_ = locked(directory / "server.lock")) < 0;) {
    end_left(directory);
    if (std::chrono::steady_clock::now() > until)
      throw std::runtime_error("a ZooKeeper that an earlier start has left runs on " +
                               directory.string());
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

void DevZooKeeper::launch(const fs::path& directory) {
  fs::remove(directory / "pid");
  const std::uint16_t port = free_loopback_port();
  write_configuration(directory, port);
  const std::string log = directory / "said", configuration = directory / "zoo.cfg";
  std::vector<std::string> words{"java",
                                 "-XX:TieredStopAtLevel=1",
                                 "-XX:+UseSerialGC",
                                 "-Xmx128m",
                                 "-Dzookeeper.preAllocSize=1024",
                                 "-cp",
                                 std::string(kJar) + ":/usr/share/java/slf4j-simple.jar",
                                 "org.apache.zookeeper.server.quorum.QuorumPeerMain",
                                 configuration};
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, server_, STDIN_FILENO);  // it keeps the lock
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC,
                                   0600);
  posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
  posix_spawnattr_t attributes;  // a Ctrl-C at the terminal is for us alone
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&attributes, 0);
  const int problem =
      posix_spawnp(&process_, "java", &files, &attributes, arguments.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  if (problem != 0) {
    process_ = -1;
    throw std::runtime_error(
        "no Java runtime is installed (Debian's package openjdk-17-jre-headless)");
  }
  std::ofstream(directory / "pid") << process_ << "\n";
  await_start(port, log);
  address_ = "127.0.0.1:" + std::to_string(port);
}

void DevZooKeeper::await_start(std::uint16_t port, const fs::path& log) {
  for (const auto until = std::chrono::steady_clock::now() + kStarts; !serves(port);) {
    const bool ended = waitpid(process_, nullptr, WNOHANG) == process_;
    if (ended) process_ = -1;
    if (ended || std::chrono::steady_clock::now() > until) {
      std::ifstream said(log);
      throw std::runtime_error("ZooKeeper does not start: " +
                               std::string(std::istreambuf_iterator<char>(said), {}));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

DevZooKeeper::~DevZooKeeper() { stop(); }

/// What it has acknowledged is on its disk.
void DevZooKeeper::stop() {
  if (process_ > 0) {
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
  }
  process_ = -1;
  for (int* lock : {&server_, &ours_})
    if (const int held = std::exchange(*lock, -1); held >= 0) close(held);
}

}  // namespace router::cli
