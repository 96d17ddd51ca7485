#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace test_support {

/// A moray-router of its own process, on free ports. Ended and waited for by the destructor.
class RouterProcess {
 public:
  /// Starts it and waits until it listens; throws std::runtime_error where it ends before.
  explicit RouterProcess(const std::vector<std::string>& arguments);
  ~RouterProcess();
  RouterProcess(const RouterProcess&) = delete;
  RouterProcess& operator=(const RouterProcess&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// Of the ring that it said it serves.
  [[nodiscard]] const std::string& ring_digest() const { return ring_digest_; }
  [[nodiscard]] std::uint64_t generation() const { return generation_; }
  [[nodiscard]] pid_t process() const { return process_; }
  /// kill -9, and waits.
  void kill();
  /// SIGTERM, and waits. What it wrote where it did not end with 0: a sanitizer's report too.
  [[nodiscard]] std::string end();

 private:
  int stop(int signal);
  void read_on();

  pid_t process_ = 0;
  int output_ = -1;
  std::uint16_t port_ = 0;
  std::string ring_digest_;
  std::uint64_t generation_ = 0;
  std::string tail_;    // what it wrote since; the thread's until it ends
  std::thread reader_;  // so that its output never stops it
};

}  // namespace test_support
