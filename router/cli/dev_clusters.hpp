#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace router::cli {

/// One that nobody listens on at this moment. Throws std::runtime_error.
std::uint16_t free_loopback_port();

/// Throw-away PostgreSQL clusters for `dev`: each in a directory of its own (postgres-1, …), with a
/// database `moray` as moray makes it, on a free loopback port, open to every user of this machine.
/// Ended by the destructor; their data stays.
class DevClusters {
 public:
  /// Makes what is missing and starts all. As root the servers run as the user `postgres`, since
  /// they refuse root. Throws std::runtime_error with a program's own words where one fails.
  DevClusters(std::filesystem::path directory, std::size_t count, bool sync);
  ~DevClusters();
  DevClusters(const DevClusters&) = delete;
  DevClusters& operator=(const DevClusters&) = delete;

  /// For libpq, one for each.
  [[nodiscard]] const std::vector<std::string>& urls() const { return urls_; }

 private:
  void start(const std::filesystem::path& data, bool sync);
  void stop(const std::filesystem::path& data) const;

  std::filesystem::path programs_;
  std::vector<std::filesystem::path> running_;
  std::vector<std::string> urls_;
};

}  // namespace router::cli
