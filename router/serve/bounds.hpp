#pragma once

#include <cstddef>

#include "budget/budget.hpp"

namespace router {

/// How much the process may hold, as configured.
struct BoundValues {
  std::size_t memory_bytes = std::size_t{1} << 30;
  std::size_t held_writes = 10'000;
  std::size_t held_bytes = std::size_t{64} << 20;  ///< of their payloads
  std::size_t arriving_bytes = std::size_t{512} << 20;
  bool operator==(const BoundValues&) const = default;
};

/// What all workers share of these: each takes what it needs, and no part belongs to one of them.
/// Thread-safe; made once, and outlives the workers.
struct Bounds {
  explicit Bounds(const BoundValues& values = {})
      : memory(values.memory_bytes), held_writes(values.held_writes), held_bytes(values.held_bytes),
        arriving(values.arriving_bytes), begun(~std::size_t{0}) {}
  void configure(const BoundValues& values) {
    memory.configure(values.memory_bytes);
    held_writes.configure(values.held_writes);
    held_bytes.configure(values.held_bytes);
    arriving.configure(values.arriving_bytes);
  }

  budget::Budget memory;       ///< bytes
  budget::Budget held_writes;  ///< how many
  budget::Budget held_bytes;
  budget::Budget arriving;  ///< bytes reserved by frames that are not whole
  budget::Budget begun;     ///< of frames that are not whole and have no reservation; no bound
};

}  // namespace router
