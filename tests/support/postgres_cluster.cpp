#include "tests/support/postgres_cluster.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <vector>

#include "tests/support/free_port.hpp"

namespace test_support {
namespace {

namespace fs = std::filesystem;

/// Debian keeps each version's programs in a folder of their own.
std::string find_programs() {
  std::vector<std::string> found;
  if (fs::is_directory("/usr/lib/postgresql"))
    for (const auto& version : fs::directory_iterator("/usr/lib/postgresql"))
      if (fs::exists(version.path() / "bin/initdb"))
        found.push_back((version.path() / "bin").string());
  if (found.empty())
    throw std::runtime_error("no PostgreSQL server is installed (package postgresql-15)");
  return *std::max_element(found.begin(), found.end());
}

}  // namespace

PostgresCluster::PostgresCluster() : programs_(find_programs()), port_(free_port()) {
  if (geteuid() == 0) run("chown postgres '" + directory_.path().string() + "'");
  // A process makes one, and copies it: that takes a tenth of the time.
  static const TemporaryDirectory fresh;
  static const bool made = [this] {
    if (geteuid() == 0) run("chown postgres '" + fresh.path().string() + "'");
    run(as_owner(programs_ + "/initdb -D " + (fresh.path() / "data").string() +
                 " -U moray -A trust -E UTF8 --locale=C --no-sync --wal-segsize=1"));
    return true;
  }();
  (void)made;
  run("cp -a '" + (fresh.path() / "data").string() + "' '" + (directory_.path() / "data").string() +
      "'");
  start();
  make_database("moray");
}

PostgresCluster::~PostgresCluster() {
  try {
    shut_down(SIGINT);
  } catch (const std::exception&) {
    // it is gone already
  }
}

std::string PostgresCluster::as_owner(const std::string& command) const {
  return geteuid() == 0
             ? "cd / && setpriv --reuid=postgres --regid=postgres --clear-groups " + command
             : command;
}

void PostgresCluster::run(const std::string& command) const {
  const std::string log =
      (directory_.path().parent_path() / ("postgres-" + std::to_string(getpid()) + ".log"))
          .string();
  const int status = std::system(("(" + command + ") > '" + log + "' 2>&1").c_str());
  std::ifstream file(log);
  const std::string said{std::istreambuf_iterator<char>(file), {}};
  fs::remove(log);
  if (status != 0) throw std::runtime_error(command + ": " + said);
}

void PostgresCluster::start(const std::string& settings) {
  const std::string data = (directory_.path() / "data").string();
  run(as_owner(programs_ + "/pg_ctl -D " + data + " -l " + data + "/log -w -t 60 start -o \"-p " +
               std::to_string(port_) +
               " -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off -c "
               "full_page_writes=off -c max_connections=100 " +
               settings + "\""));
  running_ = true;
}

/// Signals as the postmaster takes them: SIGINT is its fast end, SIGQUIT ends without a checkpoint.
void PostgresCluster::shut_down(int signal) {
  if (!running_) return;
  running_ = false;
  const std::string data = (directory_.path() / "data").string();
  run(as_owner(programs_ + "/pg_ctl -D " + data + " -w -t 60 -m " +
               (signal == SIGINT ? "fast" : "immediate") + " stop"));
}

void PostgresCluster::stop() { shut_down(SIGINT); }

void PostgresCluster::limit_file_size(const std::string& bytes) const {
  std::string postmaster;
  std::ifstream(directory_.path() / "data" / "postmaster.pid") >> postmaster;
  run(as_owner("prlimit --pid=" + postmaster + " --fsize=" + bytes + ":unlimited"));
}

void PostgresCluster::stop_at_once() { shut_down(SIGQUIT); }

std::string PostgresCluster::url() const {
  return "postgresql://moray@127.0.0.1:" + std::to_string(port_) + "/moray";
}

std::string PostgresCluster::make_database(const std::string& name) {
  const std::string at = " -h 127.0.0.1 -p " + std::to_string(port_) + " -U moray ";
  run(programs_ + "/createdb" + at + "-T template0 -E UTF8 --locale=C " + name);
  return "postgresql://moray@127.0.0.1:" + std::to_string(port_) + "/" + name;
}

}  // namespace test_support
