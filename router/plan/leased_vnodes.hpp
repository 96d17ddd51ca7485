#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "backends/serving_lease.hpp"
#include "ring/ring.hpp"
#include "ring/vnode_set.hpp"

namespace router {

struct Snapshot;

/// The vnodes of a plan of resharding whose next ring is prepared here: requests to them are sent
/// only while the coordinator's lease runs, or the plan's row has said that nothing is decided
/// (docs/resharding.md, "Routers"). A part of the snapshot, immutable there but for the lease's
/// end.
struct LeasedVnodes {
  ring::VnodeSet vnodes;
  std::vector<bool> owners;                       ///< by ring::PnodeIndex: has one of them
  std::shared_ptr<backends::ServingLease> lease;  ///< never null

  /// O(vnodes). All must be vnodes of the ring.
  static std::shared_ptr<const LeasedVnodes> of(const ring::Ring& ring,
                                                const ring::VnodeSet& vnodes,
                                                std::chrono::nanoseconds until);
};

/// The lease under which a shard's request is served: one to that vnode, or, where it names none,
/// to rows of any of the shard's vnodes. null: it needs none. O(log ranges) where there are leased
/// vnodes, else O(1).
std::shared_ptr<const backends::ServingLease> serving_lease(const Snapshot& snapshot,
                                                            ring::PnodeIndex pnode,
                                                            std::optional<ring::Vnode> vnode);

}  // namespace router
