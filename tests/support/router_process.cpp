#include "tests/support/router_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>

#include <nlohmann/json.hpp>

extern char** environ;

namespace test_support {
namespace {

constexpr int kPatienceMs = 20'000;

}  // namespace

RouterProcess::RouterProcess(const std::vector<std::string>& arguments) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe failed");
  output_ = ends[0];
  // Another program may be named, as for tests in JavaScript: an older one, in a comparison.
  const char* named = std::getenv("MORAY_ROUTER_BIN");
  std::string program = named == nullptr ? MORAY_ROUTER_BINARY : named;
  std::vector<char*> argv{program.data()};
  std::vector<std::string> copies = arguments;
  for (std::string& argument : copies) argv.push_back(argument.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
  const int problem =
      posix_spawn(&process_, program.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  if (problem != 0) throw std::runtime_error("can't start " + program);

  std::string line, others;
  for (char byte = 0; port_ == 0;) {
    pollfd ready{output_, POLLIN, 0};
    if (poll(&ready, 1, kPatienceMs) <= 0 || read(output_, &byte, 1) != 1)
      throw std::runtime_error("moray-router ended before it listened: " + others + line);
    line += byte;
    if (byte != '\n') continue;
    const auto record = nlohmann::json::parse(line, nullptr, false);
    if (!record.is_object())
      others += line;
    else if (record.value("msg", "") == "listening") {
      port_ = record.at("port").get<std::uint16_t>();
      ring_digest_ = record.at("ringDigest").get<std::string>();
      generation_ = record.at("generation").get<std::uint64_t>();
    }
    line.clear();
  }
  reader_ = std::thread([this] { read_on(); });
}

void RouterProcess::read_on() {
  constexpr std::size_t kTail = 1 << 20;
  char buffer[4096];
  for (ssize_t bytes; (bytes = read(output_, buffer, sizeof buffer)) > 0;) {
    tail_.append(buffer, static_cast<std::size_t>(bytes));
    if (tail_.size() > 2 * kTail) tail_.erase(0, tail_.size() - kTail);
  }
}

int RouterProcess::stop(int signal) {
  if (process_ == 0) return 0;
  ::kill(process_, signal);
  int status = 0;
  waitpid(process_, &status, 0);
  process_ = 0;
  if (reader_.joinable()) reader_.join();
  return status;
}

void RouterProcess::kill() { stop(SIGKILL); }

std::string RouterProcess::end() {
  const int status = stop(SIGTERM);
  return status == 0 ? "" : "status " + std::to_string(status) + ": " + tail_;
}

RouterProcess::~RouterProcess() {
  stop(SIGTERM);
  close(output_);
}

}  // namespace test_support
