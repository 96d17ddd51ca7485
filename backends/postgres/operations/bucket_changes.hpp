#pragma once

#include <atomic>
#include <cstdint>

namespace backends::postgres {

/// Counts what a process has changed of buckets, in all of its shards. Threads meet here: the
/// worker that has changed a bucket counts when its COMMIT is answered, and before its client is;
/// every worker asks before it goes by a bucket that it has read. Who sees the count has the change
/// before it, in the database as well; who does not has begun before the client was answered.
class BucketChanges {
 public:
  void changed() { count_.fetch_add(1, std::memory_order_release); }
  [[nodiscard]] std::uint64_t count() const { return count_.load(std::memory_order_acquire); }

 private:
  std::atomic<std::uint64_t> count_{0};
};

}  // namespace backends::postgres
