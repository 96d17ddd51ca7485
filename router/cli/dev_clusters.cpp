#include "router/cli/dev_clusters.hpp"

#include <arpa/inet.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <system_error>

namespace router::cli {
namespace {

namespace fs = std::filesystem;

/// Of the newest version that is installed, as Debian installs them.
fs::path find_programs() {
  fs::path newest;
  int version = 0;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", none)) {
    const int number = std::atoi(entry.path().filename().c_str());
    if (number > version && fs::exists(entry.path() / "bin" / "initdb")) {
      version = number;
      newest = entry.path() / "bin";
    }
  }
  if (newest.empty())
    throw std::runtime_error("no PostgreSQL server is installed (Debian's package postgresql-15)");
  return newest;
}

const passwd* owner() {
  if (geteuid() != 0) return nullptr;
  const passwd* user = getpwnam("postgres");
  if (user == nullptr)
    throw std::runtime_error(
        "there is no user postgres, and PostgreSQL refuses root: run as another user");
  return user;
}

/// In the child: ends it where the program can't be run.
[[noreturn]] void become(const std::vector<std::string>& words, const passwd* user, int output) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  const bool other_user =
      user == nullptr ||
      (setgroups(0, nullptr) == 0 && setgid(user->pw_gid) == 0 && setuid(user->pw_uid) == 0);
  if (other_user && chdir("/") == 0) execv(arguments[0], arguments.data());
  dprintf(STDERR_FILENO, "%s: %s", arguments[0], std::generic_category().message(errno).c_str());
  _exit(127);
}

struct Ended {
  int status = 0;
  std::string output;
};

/// The server that a program leaves behind keeps no end of ours: its output goes to a file.
Ended run(const std::vector<std::string>& words, const fs::path& log) {
  const passwd* user = owner();
  std::FILE* output = std::fopen(log.c_str(), "w+");
  if (output == nullptr)
    throw std::runtime_error(log.string() + ": " + std::generic_category().message(errno));
  const pid_t child = fork();
  if (child == 0) become(words, user, fileno(output));
  Ended ended;
  if (child > 0) waitpid(child, &ended.status, 0);
  std::fclose(output);
  if (child < 0) throw std::runtime_error("fork: " + std::generic_category().message(errno));
  std::ifstream file(log);
  ended.output.assign(std::istreambuf_iterator<char>(file), {});
  return ended;
}

void must_run(const std::vector<std::string>& words, const fs::path& log) {
  const Ended ended = run(words, log);
  if (!WIFEXITED(ended.status) || WEXITSTATUS(ended.status) != 0)
    throw std::runtime_error(words[0] + " failed:\n" + ended.output);
}

fs::path log_beside(const fs::path& data) { return data.string() + ".said"; }

}  // namespace

std::uint16_t free_loopback_port() {
  const int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const bool bound = probe >= 0 && bind(probe, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                     getsockname(probe, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  if (probe >= 0) close(probe);
  if (!bound) throw std::runtime_error("no free port: " + std::generic_category().message(errno));
  return ntohs(address.sin_port);
}

DevClusters::DevClusters(fs::path directory, std::size_t count, bool sync)
    : programs_(find_programs()) {
  for (std::size_t i = 1; i <= count; ++i) {
    const fs::path data = directory / ("postgres-" + std::to_string(i));
    try {
      start(data, sync);
    } catch (...) {
      for (const fs::path& each : running_) stop(each);
      throw;
    }
  }
}

DevClusters::~DevClusters() {
  for (const fs::path& data : running_) {
    try {
      stop(data);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "moray-router: %s\n", error.what());
    }
  }
}

void DevClusters::start(const fs::path& data, bool sync) {
  const fs::path log = log_beside(data);
  const std::string control = programs_ / "pg_ctl";
  // Made under another name first, so that a start that was cut short leaves no half a cluster.
  if (!fs::exists(data)) {
    const fs::path unfinished = data.string() + ".unfinished";
    fs::remove_all(unfinished);
    fs::create_directories(unfinished);
    if (const passwd* user = owner();
        user != nullptr && chown(unfinished.c_str(), user->pw_uid, user->pw_gid) != 0)
      throw std::runtime_error(unfinished.string() + ": " + std::generic_category().message(errno));
    must_run({programs_ / "initdb", "-D", unfinished, "-U", "moray", "-A", "trust", "-E", "UTF8",
              "--locale=C"},
             log);
    fs::rename(unfinished, data);
  }
  // A dev that was killed has left its server running.
  if (run({control, "-D", data, "status"}, log).status == 0) stop(data);
  const std::string port = std::to_string(free_loopback_port());
  must_run({control, "-D", data, "-l", data / "log", "-w", "-t", "60", "start", "-o",
            "-p " + port +
                " -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c wal_level=logical "
                "-c fsync=" +
                (sync ? "on" : "off")},
           log);
  running_.push_back(data);
  const std::vector<std::string> at{"-h", "127.0.0.1", "-p", port, "-U", "moray"};
  std::vector<std::string> ask{programs_ / "psql",
                               "-X",
                               "-A",
                               "-t",
                               "-d",
                               "postgres",
                               "-c",
                               "SELECT 1 FROM pg_database WHERE datname = 'moray'"};
  ask.insert(ask.end(), at.begin(), at.end());
  if (run(ask, log).output.find('1') == std::string::npos) {
    std::vector<std::string> make{programs_ / "createdb", "-T",   "template0", "-E", "UTF8",
                                  "--locale=C",           "moray"};
    make.insert(make.end() - 1, at.begin(), at.end());
    must_run(make, log);
  }
  urls_.push_back("postgresql://moray@127.0.0.1:" + port + "/moray");
  fs::remove(log);
}

void DevClusters::stop(const fs::path& data) const {
  must_run({programs_ / "pg_ctl", "-D", data, "-w", "-t", "60", "-m", "fast", "stop"},
           log_beside(data));
  fs::remove(log_beside(data));
}

}  // namespace router::cli
