#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "router/serve/cells.hpp"
#include "router/serve/dispatch_context.hpp"
#include "router/serve/dispatcher.hpp"
#include "router/serve/local_call.hpp"
#include "router/serve/loop_lag.hpp"
#include "router/serve/ownership.hpp"
#include "router/serve/session.hpp"
#include "router/serve/shard_set.hpp"

namespace router {

class Log;

struct WorkerOptions {
  std::size_t read_buffer_bytes = 256 << 10;
};

/// A ring and the shards that serve it, as published to workers.
struct Publication {
  std::shared_ptr<const Snapshot> snapshot;
  std::vector<ShardSpec> shards;  ///< by ring::PnodeIndex
  std::vector<ShardSpec> warm;    ///< of a ring that is to come: connected, but not used yet
  DispatchLimits dispatch;
  SessionLimits session;  ///< of clients that connect from now on
  HoldLimits hold;
  std::chrono::milliseconds turn_wait_max{40};  ///< for a turn at an overloaded shard; 0: any time
  BoundValues bounds;                           ///< of the process
};

/// A session as status pages show it.
struct SessionStatus {
  std::uint64_t id = 0;
  std::string peer;
  std::size_t in_flight = 0;
  SessionCounts counts;
  bool draining = false;
  std::chrono::system_clock::time_point accepted_at;
};

/// What a worker tells of itself; copied on the worker.
struct WorkerStatus {
  std::vector<SessionStatus> sessions;
  SessionCounts ended_sessions;  ///< the sum of those that are closed
  std::vector<std::pair<std::string, backends::ShardStatus>> shards;  ///< by pnode name
  std::uint64_t published_sequence = 0;
  std::size_t held_writes = 0;  ///< waiting at the gate
  std::size_t held_bytes = 0;
  std::size_t waiting_turns = 0;  ///< requests that wait for their turn at a shard
  std::size_t write_leases = 0;   ///< writes whose shard has not answered
  std::size_t memory_held = 0;    ///< by this worker, of the process's budget
};

/// What a worker says when the writes that a block waited for have ended.
struct LeasesEnded {
  std::size_t waited_for = 0;
  std::vector<IndeterminateWrite> indeterminate;
};

/// One core's world: a thread and its loop, its sessions, its shard connections, its pointer to
/// the current ring. Owned by main; every other call only posts to the thread.
///
/// What requests write is the worker's alone: its sockets, tables, buffers and counters; of the
/// ring and the configuration they only read, through pointers that the worker counts by itself
/// (active_ring.hpp). So a second worker costs the first nothing but the machine's own limits.
class alignas(kCacheLineBytes) Worker final : private SessionHost {
 public:
  /// `bounds`: what all workers of the process share.
  Worker(std::size_t index, WorkerOptions options, ShardFactory factory,
         std::shared_ptr<Bounds> bounds, WorkerCells* cells, Log& log);
  ~Worker();

  /// Starts the thread. `first` is in force before the first client is served.
  void run(Publication first);

  /// Any thread: takes over an accepted socket (native handle), which counts as a session at once.
  void adopt(boost::asio::ip::tcp protocol, int socket);

  /// Any thread: swaps ring, gate and shards between two requests, then calls `acknowledge` on the
  /// worker's thread with the time for which it did nothing else. Keep the old snapshot meanwhile:
  /// the worker should not be the one that frees a ring.
  using Acknowledge = std::function<void(std::chrono::nanoseconds pause)>;
  void publish(std::shared_ptr<const Publication> next, Acknowledge acknowledge);

  /// Any thread: `done` is called on the worker's thread when every write in flight within the
  /// scope has been answered, or lost.
  void await_leases(std::shared_ptr<const LeaseScope> scope, std::function<void(LeasesEnded)> done);

  /// Any thread: a request of our own; `done` is called on the worker's thread.
  void call(std::string payload, LocalCall::Done done);

  /// Any thread: counts operations there from now on; null: nowhere.
  void count_heat(std::shared_ptr<Heat> heat);

  /// Any thread: `take` is called with a copy of the state on the worker's thread.
  void status(std::function<void(WorkerStatus)> take);

  /// Any thread: `take` is called on the worker's thread.
  void reads(std::function<void(WorkerReads)> take);

  /// Any thread: sessions finish what is in flight and close; `done` is called on the worker's
  /// thread when none is left or after `limit`.
  void drain(std::chrono::milliseconds limit, std::function<void()> done);

  /// Any thread: sessions that begin from now on are served, after a drain.
  void resume();

  /// Stops the loop and joins the thread. Sessions still open are cut.
  void stop();

  /// Any thread: those that are served, and those that were adopted and wait for the thread.
  [[nodiscard]] std::size_t sessions() const {
    return session_count_.load(std::memory_order_relaxed);
  }

 private:
  std::span<char> read_buffer() override;
  void lend_buffer(std::string& empty) override;
  void take_back_buffer(std::string& used) override;
  void wants_flush(std::shared_ptr<Session> session) override;
  ArrivingFrames& arriving_frames() override { return arriving_frames_; }
  IdleReaders& idle_readers() override { return idle_readers_; }
  [[nodiscard]] std::size_t requests_at_once() const override { return lag_.most(); }
  budget::Account& memory() override { return context_.memory; }
  void protocol_error(const Session& session, std::string_view reason) override;
  void client_lost(const Session& session, std::string_view at, int problem) override;
  void closed(Session& session) override;

  void end_of_turn();
  void run_retries();
  void apply(const Publication& next);
  void tick();
  void check_drained();

  const std::size_t index_;
  WorkerOptions options_;
  SessionLimits session_limits_;
  WorkerCells* cells_;
  Log& log_;
  boost::asio::io_context loop_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> keep_running_;
  boost::asio::steady_timer tick_timer_;
  LoopLag lag_;
  DeadlineWheel wheel_;
  DispatchContext context_;  // before all that draws on its memory
  ShardSet shards_;
  ArrivingFrames arriving_frames_;
  IdleReaders idle_readers_;
  Dispatcher dispatcher_;
  std::vector<char> read_buffer_;
  std::vector<std::string> spare_buffers_;  // empty, lent to sessions that have output
  std::size_t spare_bytes_ = 0;             // that they hold
  std::unordered_map<std::uint64_t, std::shared_ptr<Session>> sessions_;
  std::vector<std::shared_ptr<Session>> to_flush_;
  std::vector<std::shared_ptr<Session>> flushing_;
  SessionCounts ended_sessions_;
  bool end_of_turn_posted_ = false;
  std::uint64_t next_session_ = 1;
  std::atomic<std::size_t> session_count_{0};  // with those that wait to be adopted
  std::function<void()> drained_;
  std::chrono::steady_clock::time_point drain_limit_{};
  std::thread thread_;
};

}  // namespace router
