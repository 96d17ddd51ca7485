#pragma once

#include <cstdint>
#include <string>

#include "tests/support/test_data.hpp"

namespace test_support {

/// A throw-away PostgreSQL cluster of its own, on a free loopback port, with an empty database
/// `moray` as moray makes it (UTF8, locale C). Ended and removed by the destructor. As root it runs
/// as the user `postgres`, since the server refuses root.
class PostgresCluster {
 public:
  /// Throws std::runtime_error with the server's own words where it does not start.
  PostgresCluster();
  ~PostgresCluster();
  PostgresCluster(const PostgresCluster&) = delete;
  PostgresCluster& operator=(const PostgresCluster&) = delete;

  /// For libpq.
  [[nodiscard]] std::string url() const;
  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// A fresh database in the cluster, and its URL.
  std::string make_database(const std::string& name);

  void stop_at_once();  ///< as kill -9
  void stop();          ///< as an operator does: sessions are ended, nothing is left to recover
  /// `settings`: more of the server's, as on its command line (`-c name=value`).
  void start(const std::string& settings = "");
  /// Files of sessions that begin from now on end at so many bytes; "unlimited": nowhere.
  void limit_file_size(const std::string& bytes) const;

 private:
  void shut_down(int signal);
  void run(const std::string& command) const;
  [[nodiscard]] std::string as_owner(const std::string& command) const;

  TemporaryDirectory directory_;
  std::string programs_;
  std::uint16_t port_ = 0;
  bool running_ = false;
};

}  // namespace test_support
