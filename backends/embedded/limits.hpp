#pragma once

#include <cstddef>

namespace backends::embedded {

/// An owner's bounds, over all of its workers. Tests set smaller ones.
struct OwnerLimits {
  std::size_t tasks = 20'000;             ///< that wait, and finds under way; more are refused
  std::size_t bytes = 256u << 20;         ///< of those, as `bytes_of` says
  std::size_t finds_running = 64;         ///< of one worker; the others wait
  std::size_t finds_parked = 256;         ///< beyond it the one whose reader is the slowest ends
  std::size_t parked_bytes = 64u << 20;   ///< of rows that lie unread for parked finds; likewise
  std::size_t sort_bytes = 256u << 20;    ///< of sort keys; beyond it the find that has most ends
  std::size_t change_bytes = 256u << 20;  ///< that one RPC may change, or keep to do so
};

}  // namespace backends::embedded
