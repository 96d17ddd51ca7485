#pragma once

#include <cstddef>

namespace backends::moray {

/// Sums over all connections of a pool, kept up to date by them, so that a request is compared with
/// the bounds in O(1). Lives on one worker, longer than its connections are open.
struct Load {
  std::size_t requests = 0;        ///< whose answer is outstanding, sent or not
  std::size_t given_up = 0;        ///< of them: sent, and nobody waits for the answer
  std::size_t unheard = 0;         ///< of those: reads, whose answers are swallowed
  std::size_t unsent_bytes = 0;    ///< of frames, not taken by a socket yet
  std::size_t ordered_writes = 0;  ///< that hold their vnode to their connection

  /// Those that somebody waits for.
  [[nodiscard]] std::size_t under_way() const { return requests - unheard; }
};

}  // namespace backends::moray
