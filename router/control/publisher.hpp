#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "router/serve/shard_factory.hpp"
#include "router/serve/worker.hpp"

namespace router {

class Log;

/// What a publication cost.
struct Published {
  std::chrono::nanoseconds took{};   ///< until every worker had acknowledged
  std::chrono::nanoseconds pause{};  ///< the longest that a worker did nothing else
  std::size_t missing = 0;           ///< workers that had not acknowledged within a second
};

/// What a scrape shows of publications.
struct PublicationCounts {
  std::uint64_t publications = 0;
  Published last;
  std::chrono::nanoseconds longest_pause{};
};

/// Hands rings, gates and shards to all workers. What was replaced is kept until no request holds
/// it, so that no worker spends its time freeing a ring. `publish` is for one thread (the
/// control's); the rest is for any.
class Publisher {
 public:
  Publisher(std::vector<std::unique_ptr<Worker>>& workers, Log& log)
      : workers_(workers), log_(log) {}

  /// In force before the workers run; hand it to each of them.
  void begin(Publication first, ShardSources::Opened opened);

  /// Returns when every worker has acknowledged; one that has not within a second is named in the
  /// log, and takes the ring as soon as it can.
  Published publish(Publication next, ShardSources::Opened opened);
  /// The same shards under another snapshot, as gates and swaps need it.
  Published publish(std::shared_ptr<const Snapshot> snapshot);

  [[nodiscard]] std::shared_ptr<const Publication> current() const;
  [[nodiscard]] PublicationCounts counts() const;
  /// Control's thread: what its stores hold open.
  [[nodiscard]] const ShardSources::Opened& opened() const { return opened_; }

 private:
  void forget_unused();

  std::vector<std::unique_ptr<Worker>>& workers_;
  Log& log_;
  ShardSources::Opened opened_;  // what the published shards need
  std::vector<std::shared_ptr<const Snapshot>> replaced_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Publication> current_;  // guarded by mutex_
  PublicationCounts counts_;                    // guarded by mutex_
};

}  // namespace router
