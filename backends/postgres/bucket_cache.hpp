#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <unordered_map>

#include "backends/postgres/bucket_table.hpp"
#include "backends/postgres/connection.hpp"
#include "backends/postgres/task.hpp"

namespace backends::postgres {

/// One worker's buckets of a shard, for 30 s from when they were read: other processes change them
/// too. Missing ones are not kept. Lives on that worker.
class BucketCache {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kLife{30};
  static constexpr std::size_t kBucketsMax = 1'000;

  /// Null: not known, or too old.
  [[nodiscard]] std::shared_ptr<const BucketTable> peek(const std::string& bucket) const;
  /// Reads it on that connection. Throws BucketNotFoundError as RpcError.
  Task<std::shared_ptr<const BucketTable>> load(Connection& connection, std::string bucket);
  void drop(const std::string& bucket) { entries_.erase(bucket); }

 private:
  struct Entry {
    std::shared_ptr<const BucketTable> table;
    Clock::time_point read;
  };
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace backends::postgres
