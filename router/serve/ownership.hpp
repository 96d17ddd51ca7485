#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "ring/vnode_set.hpp"
#include "router/serve/reads_under_way.hpp"

namespace router {

/// By what one worker plans, and the reads that it has under way.
struct WorkerReads {
  std::shared_ptr<const Snapshot> planning_by;
  std::vector<ReadsByRing> reads;
};

/// Whether some vnodes are one pnode's at this router.
struct Ownership {
  struct Other {
    std::uint32_t vnode = 0;
    std::string pnode;
    bool operator==(const Other&) const = default;
  };
  std::optional<Other> other;  ///< the first vnode that is another's; nullopt: all are the pnode's
  bool none = true;            ///< no vnode is the pnode's
  std::size_t reads = 0;       ///< under way by rings in which one of the vnodes is the pnode's
  std::chrono::milliseconds oldest_read{};  ///< its age; 0 where there is none
  std::size_t older_reads = 0;              ///< under way by any ring but the one in force
  std::size_t pnode_vnodes = 0;             ///< all that the pnode has, by the ring in force
  ring::VnodeSet owned;  ///< those that were asked about and are the pnode's, by any ring

  bool operator==(const Ownership&) const = default;
};

/// By the ring in force and by those that workers plan by, which may be older for a moment: what
/// it says of all vnodes holds for each of these. Throws Refusal `no_vnode` for vnodes that the
/// ring in force lacks. Pure.
Ownership ownership(const Snapshot& in_force, std::span<const WorkerReads> workers,
                    const ring::VnodeSet& vnodes, const std::string& pnode,
                    std::chrono::steady_clock::time_point now);

}  // namespace router
