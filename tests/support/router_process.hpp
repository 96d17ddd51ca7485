#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
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
  /// kill -9, and waits.
  void kill();

 private:
  void stop(int signal);

  pid_t process_ = 0;
  int output_ = -1;
  std::uint16_t port_ = 0;
};

}  // namespace test_support
