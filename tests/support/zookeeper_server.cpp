#include "tests/support/zookeeper_server.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <thread>
#include <vector>

#include "tests/support/free_port.hpp"

extern char** environ;

namespace test_support {
namespace {

constexpr std::chrono::seconds kStarts{60};
constexpr const char* kJars = "/usr/share/java/zookeeper.jar:/usr/share/java/slf4j-simple.jar";

std::string contents(const std::string& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

}  // namespace

ZooKeeperServer::ZooKeeperServer() : port_(free_port()) {
  std::ofstream((directory_.path() / "zoo.cfg").string())
      << "tickTime=200\ninitLimit=20\nsyncLimit=10\nminSessionTimeout=400\nmaxSessionTimeout="
         "60000\n"
      << "dataDir=" << directory_.path().string() << "/data\nclientPort=" << port_
      << "\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\nmaxClientCnxns=0\n"
      << "4lw.commands.whitelist=ruok\n";
  start();
}

ZooKeeperServer::~ZooKeeperServer() { kill(); }

std::string ZooKeeperServer::address() const { return "127.0.0.1:" + std::to_string(port_); }

void ZooKeeperServer::start() {
  const std::string log = (directory_.path() / "log").string(),
                    configuration = (directory_.path() / "zoo.cfg").string();
  std::vector<std::string> words{"java",
                                 "-XX:TieredStopAtLevel=1",
                                 "-XX:+UseSerialGC",
                                 "-Xmx128m",
                                 "-Dzookeeper.preAllocSize=1024",
                                 "-cp",
                                 kJars,
                                 "org.apache.zookeeper.server.quorum.QuorumPeerMain",
                                 configuration};
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  const int problem = posix_spawnp(&process_, "java", &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (problem != 0)
    throw std::runtime_error("no Java runtime is installed (package openjdk-17-jre-headless)");
  for (const auto until = std::chrono::steady_clock::now() + kStarts; !serves();) {
    const bool ended = waitpid(process_, nullptr, WNOHANG) == process_;
    if (ended) process_ = -1;
    if (ended || std::chrono::steady_clock::now() > until)
      throw std::runtime_error("ZooKeeper does not start: " + contents(log));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

/// By its own word.
bool ZooKeeperServer::serves() const {
  const int asked = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port_);
  char answer[4] = {};
  const bool serving = connect(asked, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
                       send(asked, "ruok", 4, MSG_NOSIGNAL) == 4 &&
                       recv(asked, answer, 4, MSG_WAITALL) == 4 && std::string(answer, 4) == "imok";
  close(asked);
  return serving;
}

void ZooKeeperServer::kill() {
  if (process_ < 0) return;
  ::kill(process_, SIGKILL);
  waitpid(process_, nullptr, 0);
  process_ = -1;
}

void ZooKeeperServer::stop_for_now() { ::kill(process_, SIGSTOP); }
void ZooKeeperServer::go_on() { ::kill(process_, SIGCONT); }

}  // namespace test_support
