#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "router/serve/shard_factory.hpp"
#include "router/serve/worker.hpp"

namespace router {

class Log;

/// What a publication cost.
struct Published {
  std::chrono::nanoseconds took{};   ///< until every worker had acknowledged
  std::chrono::nanoseconds pause{};  ///< the longest that a worker did nothing else
  std::vector<std::size_t> missing;  ///< workers that had not acknowledged within a second
};

/// Names the workers that go by an older ring or gate still.
std::string missing_workers(const Published& published);

/// What a scrape shows of publications.
struct PublicationCounts {
  std::uint64_t publications = 0;
  Published last;  ///< that is over
  std::chrono::nanoseconds longest_pause{};
};

/// Hands rings, gates and shards to all workers. What was replaced is kept until no request holds
/// it, so that no worker spends its time freeing a ring. Nothing here waits for a worker: one that
/// stands still delays the answer to the caller, for a second, and nobody else's.
/// `publish` and `await` are for one thread (the control's), which `loop` runs on; the rest is for
/// any.
class Publisher {
 public:
  /// Told once, on the loop: each worker has acknowledged, or `missing` have not within a second,
  /// and take it as soon as they can.
  using Told = std::function<void(const Published&)>;

  Publisher(boost::asio::io_context& loop, std::vector<std::unique_ptr<Worker>>& workers, Log& log);

  /// In force before the workers run; hand it to each of them.
  void begin(Publication first, ShardSources::Opened opened);
  /// In force from now on: `current` is that.
  void publish(Publication next, ShardSources::Opened opened, Told told);
  /// Of what is in force.
  void await(Told told);

  [[nodiscard]] std::shared_ptr<const Publication> current() const;
  [[nodiscard]] PublicationCounts counts() const;

 private:
  struct Round;

  void acknowledged(const std::shared_ptr<Round>& round, std::size_t worker,
                    std::chrono::nanoseconds pause);
  void over_time(const std::shared_ptr<Round>& round);
  void tell(Round& round);
  void keep_replaced(std::shared_ptr<const Snapshot> snapshot);

  boost::asio::io_context& loop_;
  std::vector<std::unique_ptr<Worker>>& workers_;
  Log& log_;
  std::shared_ptr<Round> round_;  // of what is in force
  ShardSources::Opened opened_;   // what the published shards need
  std::vector<std::shared_ptr<const Snapshot>> replaced_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Publication> current_;  // guarded by mutex_
  PublicationCounts counts_;                    // guarded by mutex_
};

}  // namespace router
