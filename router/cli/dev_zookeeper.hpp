#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>

namespace router::cli {

/// A ZooKeeper of one node for `dev`, on a free loopback port, its data in a directory of its own.
/// Ended by the destructor; its data stay. One that a `dev` has left which was killed is ended
/// first: two servers on the same data would ruin them. Needs Debian's libzookeeper-java and a Java
/// runtime.
class DevZooKeeper {
 public:
  /// Throws std::runtime_error with the server's own words where it does not start; and where
  /// another `dev` that lives has the directory.
  explicit DevZooKeeper(std::filesystem::path directory);
  ~DevZooKeeper();
  DevZooKeeper(const DevZooKeeper&) = delete;
  DevZooKeeper& operator=(const DevZooKeeper&) = delete;

  /// host:port
  [[nodiscard]] const std::string& address() const { return address_; }

 private:
  void take(const std::filesystem::path& directory);
  void launch(const std::filesystem::path& directory);
  void await_start(std::uint16_t port, const std::filesystem::path& log);
  void stop();

  std::string address_;
  int ours_ = -1;    // locked as long as this program lives
  int server_ = -1;  // locked as long as a server lives, which inherits it
  pid_t process_ = -1;
};

}  // namespace router::cli
