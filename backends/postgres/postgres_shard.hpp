#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "backends/postgres/operations/bucket_cache.hpp"
#include "backends/postgres/operations/listeners.hpp"
#include "backends/postgres/wire/pool.hpp"
#include "backends/postgres/wire/task.hpp"
#include "backends/shard.hpp"

namespace backends::postgres {

struct PostgresShardOptions {
  PoolOptions pool;
  std::size_t in_flight_max = 10'000;
  std::shared_ptr<Listeners> listeners =
      std::make_shared<Listeners>();  ///< shared by a process's shards
  std::shared_ptr<BucketChanges> bucket_changes = std::make_shared<BucketChanges>();  ///< likewise
};

/// What is wrong with a shard's URL, in libpq's words; nullopt: nothing. No password is repeated.
std::optional<std::string> problem_of_url(const std::string& url);

/// A shard in a PostgreSQL database, in moray's schema, beside morays that use it too: moray's RPCs
/// with no moray. Lives on: one worker.
class PostgresShard final : public Shard {
 public:
  PostgresShard(boost::asio::io_context& loop, PostgresShardOptions options);
  ~PostgresShard();

  Submitted submit(const Request& request, ReplySink& sink) override;
  /// True for a find or listen, whose connection is closed, and for a change of buckets between its
  /// two steps, which is rolled back; everything else runs on.
  bool cancel(Ticket ticket) override;
  void pause(Ticket ticket) override;
  void resume(Ticket ticket) override;
  [[nodiscard]] bool takes_two_steps() const override { return true; }
  void proceed(Ticket ticket) override;
  /// Both use the same connections. One of them is left to batches under a condition.
  [[nodiscard]] Places places() const override {
    const std::size_t connections = pool_->options().exclusive_connections;
    return {.streams = connections > 1 ? connections - 1 : 1, .changes = 1, .shared = true};
  }
  void retire() override;
  [[nodiscard]] bool idle() const override { return retired_ && operations_.empty(); }
  [[nodiscard]] bool healthy() const override { return ready_ && !retired_ && pool_->healthy(); }
  [[nodiscard]] ShardStatus status() const override;
  /// Of all requests so far, to the database.
  [[nodiscard]] std::uint64_t round_trips() const { return pool_->round_trips(); }

 private:
  struct Operation;
  using Waiting = std::list<std::shared_ptr<Operation>>;

  Detached run(std::shared_ptr<Operation> operation);
  Detached make_ready();
  void stop_listeners();
  void take_back_changes();
  [[nodiscard]] bool must_wait(const Operation& operation) const;
  [[nodiscard]] bool has_line(const Operation& operation) const;
  Waiting& queue_of(const Operation& operation);
  void stand_in_line(const std::shared_ptr<Operation>& operation);
  void leave_line(Operation& operation);
  void begin_waiting();
  void watch_paused();
  void end_paused();
  void emit(Operation& operation, std::string value);
  void deliver(const std::shared_ptr<Operation>& operation);

  boost::asio::io_context& loop_;
  PostgresShardOptions options_;
  std::unique_ptr<Pool> pool_;
  BucketCache buckets_;
  std::unordered_map<std::uint64_t, std::shared_ptr<Operation>> operations_;
  boost::asio::steady_timer ready_timer_;
  boost::asio::steady_timer paused_timer_;
  bool watching_paused_ = false;
  /// For a connection whose server takes nothing now, or has enough to do: by connection, those
  /// apart that go over another one then.
  std::map<std::pair<std::size_t, bool>, Waiting> queues_;
  std::unordered_map<std::uint32_t, std::size_t> lines_;  // how many of a vnode wait there
  bool ready_ = false;                                    // the table of buckets is there
  bool starting_ = true;  // the first attempt to reach the server is not over
  std::vector<std::shared_ptr<Operation>> first_;  // that wait for it
  std::uint64_t next_number_ = 1;
  std::uint64_t random_;
  bool retired_ = false;
  Lifetime lifetime_;
};

}  // namespace backends::postgres
