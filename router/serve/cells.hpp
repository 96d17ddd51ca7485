#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

#include "backends/rpc.hpp"

namespace router {

/// A counter that one thread advances and any thread reads: no locked instruction.
class Cell {
 public:
  void add(std::uint64_t by = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// The bounds of electric-moray's histograms, in seconds: 2, 4, 6, 8, 10 in each decade from
/// 0.0002 to 100.
inline constexpr std::size_t kLatencyBuckets = 30;
const std::array<double, kLatencyBuckets>& latency_bounds();

struct LatencyCells {
  std::array<Cell, kLatencyBuckets + 1> buckets;  ///< the last: beyond all bounds
  Cell nanoseconds;

  void observe(std::chrono::nanoseconds taken);
};

/// What became of writes at the gate.
struct GateCells {
  Cell held;           ///< began to wait
  Cell released;       ///< then sent
  Cell expired;        ///< refused: held for too long
  Cell abandoned;      ///< its client left: never sent
  Cell refused_later;  ///< refused when the gate or the ring changed
  Cell overflowed;     ///< refused: no room to hold it
};

inline constexpr std::size_t kCacheLineBytes = 64;

/// One worker's counts. Written by that worker only; read by any thread, which may see a request
/// in one cell and not yet in another. All of it lies in cache lines that nothing else lies in, so
/// that no worker waits for a line that another one writes.
class alignas(kCacheLineBytes) WorkerCells {
 public:
  void request_completed(backends::Rpc rpc, std::chrono::nanoseconds taken, bool failed) {
    auto& cells = rpcs_[static_cast<std::size_t>(rpc)];
    cells.latency.observe(taken);
    if (failed) cells.failed.add();
  }
  void shard_request(std::size_t pnode) {
    if (pnode < kShardsCounted) shards_->cells[pnode].requests.add();
  }
  void shard_error(std::size_t pnode) {
    if (pnode < kShardsCounted) shards_->cells[pnode].errors.add();
  }
  GateCells& gate() { return gate_; }
  [[nodiscard]] const GateCells& gate() const { return gate_; }
  void write_lost() { writes_lost_.add(); }
  [[nodiscard]] std::uint64_t writes_lost() const { return writes_lost_.get(); }
  void write_fenced() { writes_fenced_.add(); }
  [[nodiscard]] std::uint64_t writes_fenced() const { return writes_fenced_.get(); }
  void write_refused() { writes_refused_.add(); }
  [[nodiscard]] std::uint64_t writes_refused() const { return writes_refused_.get(); }
  void over_budget() { over_budget_.add(); }
  [[nodiscard]] std::uint64_t refused_over_budget() const { return over_budget_.get(); }
  void turn_late() { turns_late_.add(); }
  [[nodiscard]] std::uint64_t turns_late() const { return turns_late_.get(); }
  void answer_dropped() { answers_dropped_.add(); }
  [[nodiscard]] std::uint64_t answers_dropped() const { return answers_dropped_.get(); }
  /// Rare: takes a lock.
  void protocol_error(std::string_view reason);

  struct RpcCells {
    LatencyCells latency;
    Cell failed;
  };
  struct ShardCells {
    Cell requests;
    Cell errors;
  };
  static constexpr std::size_t kShardsCounted = 1024;

  [[nodiscard]] const RpcCells& rpc(std::size_t index) const { return rpcs_[index]; }
  [[nodiscard]] const ShardCells& shard(std::size_t pnode) const { return shards_->cells[pnode]; }
  [[nodiscard]] std::map<std::string, std::uint64_t> protocol_errors() const;
  /// The memory that requests write to.
  [[nodiscard]] std::array<std::span<const std::byte>, 2> memory() const {
    return {std::as_bytes(std::span(this, 1)), std::as_bytes(std::span(shards_.get(), 1))};
  }

 private:
  struct alignas(kCacheLineBytes) AllShards {
    std::array<ShardCells, kShardsCounted> cells;
  };
  std::array<RpcCells, backends::kRpcCount> rpcs_;
  GateCells gate_;
  Cell writes_lost_;      // connection lost before the answer
  Cell writes_fenced_;    // by a plan of resharding, at their shard
  Cell writes_refused_;   // as read-only, by data, configuration or gate
  Cell over_budget_;      // requests refused: the process holds as much as it may
  Cell turns_late_;       // requests refused: they have waited too long for their turn
  Cell answers_dropped_;  // for clients that did not take those before
  std::unique_ptr<AllShards> shards_ = std::make_unique<AllShards>();
  mutable std::mutex errors_mutex_;
  std::map<std::string, std::uint64_t> errors_;
};

}  // namespace router
