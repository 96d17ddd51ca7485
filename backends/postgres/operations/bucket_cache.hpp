#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <unordered_map>

#include "backends/postgres/operations/bucket_changes.hpp"
#include "backends/postgres/sql/bucket_table.hpp"
#include "backends/postgres/wire/connection.hpp"
#include "backends/postgres/wire/task.hpp"

namespace backends::postgres {

/// One worker's buckets of a shard, until somebody of this process changes one; and for 30 s from
/// when they were read, since other processes change them, too. Missing ones are not kept. Lives on
/// that worker.
class BucketCache {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kLife{30};
  static constexpr std::size_t kBucketsMax = 1'000;

  explicit BucketCache(std::shared_ptr<BucketChanges> changes) : changes_(std::move(changes)) {}

  /// Null: not known, or too old.
  [[nodiscard]] std::shared_ptr<const BucketTable> peek(const std::string& bucket);
  /// Reads it on that connection. Throws BucketNotFoundError as RpcError.
  Task<std::shared_ptr<const BucketTable>> load(Connection& connection, std::string bucket);
  /// Whether it was read before that.
  [[nodiscard]] bool knew(const std::string& bucket, Clock::time_point before) const;
  /// `before`: what was read later is kept, since others may have read it anew meanwhile.
  void drop(const std::string& bucket, Clock::time_point before = Clock::time_point::max());
  /// A change of this bucket is committed: no worker goes by what it was from now on.
  void changed(const std::string& bucket);

 private:
  struct Entry {
    std::shared_ptr<const BucketTable> table;
    Clock::time_point read;
  };
  void follow_changes();

  std::shared_ptr<BucketChanges> changes_;
  std::uint64_t seen_ = 0;  // of them
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace backends::postgres
