#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "tests/support/test_data.hpp"

namespace test_support {

/// A throw-away ZooKeeper server of one node, on a free loopback port, with tick and session times
/// of fractions of a second. Ended and removed by the destructor. Needs Debian's libzookeeper-java
/// and a Java runtime.
class ZooKeeperServer {
 public:
  /// Throws std::runtime_error with the server's own words where it does not start.
  ZooKeeperServer();
  ~ZooKeeperServer();
  ZooKeeperServer(const ZooKeeperServer&) = delete;
  ZooKeeperServer& operator=(const ZooKeeperServer&) = delete;

  /// host:port
  [[nodiscard]] std::string address() const;

  void kill();          ///< as kill -9; what it has acknowledged is on disk
  void start();         ///< on the same port, with the same data
  void stop_for_now();  ///< it hangs
  void go_on();

 private:
  [[nodiscard]] bool serves() const;

  TemporaryDirectory directory_;
  std::uint16_t port_ = 0;
  pid_t process_ = -1;
};

}  // namespace test_support
