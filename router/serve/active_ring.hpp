#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "backends/shard.hpp"
#include "router/plan/snapshot.hpp"

namespace router {

class ShardTurns;

/// A snapshot as one worker holds it: with that worker's shards, by pnode. Counted by plain
/// numbers, since it never leaves its worker: no shared atomic on the request path.
struct ActiveRing {
  std::shared_ptr<const Snapshot> snapshot;
  std::vector<backends::Shard*> shards;  ///< by ring::PnodeIndex; owned by the worker's ShardSet
  std::vector<ShardTurns*> turns{};      ///< at these; empty: nobody counts
  std::uint32_t uses = 0;
};

/// Keeps an ActiveRing alive until the last request planned on it is answered.
class ActiveRingPointer {
 public:
  ActiveRingPointer() = default;
  explicit ActiveRingPointer(ActiveRing* ring) : ring_(ring) {
    if (ring_ != nullptr) ++ring_->uses;
  }
  ActiveRingPointer(const ActiveRingPointer& other) : ActiveRingPointer(other.ring_) {}
  ActiveRingPointer(ActiveRingPointer&& other) noexcept
      : ring_(std::exchange(other.ring_, nullptr)) {}
  ActiveRingPointer& operator=(ActiveRingPointer other) noexcept {
    std::swap(ring_, other.ring_);
    return *this;
  }
  ~ActiveRingPointer() {
    if (ring_ != nullptr && --ring_->uses == 0) delete ring_;
  }

  ActiveRing& operator*() const { return *ring_; }
  ActiveRing* operator->() const { return ring_; }
  explicit operator bool() const { return ring_ != nullptr; }

 private:
  ActiveRing* ring_ = nullptr;
};

}  // namespace router
