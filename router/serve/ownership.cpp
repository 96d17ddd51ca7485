#include "router/serve/ownership.hpp"

#include <algorithm>
#include <map>
#include <vector>

#include "router/plan/refusal.hpp"

namespace router {
namespace {

struct InRing {
  std::optional<Ownership::Other> other;
  bool any = false;  // a vnode is the pnode's
  ring::VnodeSet owned;
};

InRing look(const ring::Ring& ring, const ring::VnodeSet& vnodes, const std::string& pnode) {
  InRing found;
  std::vector<std::uint32_t> owned;
  for (const ring::VnodeSet::Range& range : vnodes.ranges())
    for (std::uint64_t vnode = range.first; vnode <= range.last; ++vnode) {
      if (vnode >= ring.vnode_count()) {
        if (!found.other) found.other = {static_cast<std::uint32_t>(vnode), ""};
        break;
      }
      const auto owner = ring.pnode_name(ring.owner(static_cast<ring::Vnode>(vnode)));
      if (owner == pnode)
        owned.push_back(static_cast<std::uint32_t>(vnode));
      else if (!found.other)
        found.other = {static_cast<std::uint32_t>(vnode), std::string(owner)};
    }
  found.any = !owned.empty();
  found.owned = ring::VnodeSet::of(std::move(owned));
  return found;
}

}  // namespace

Ownership ownership(const Snapshot& in_force, std::span<const WorkerReads> workers,
                    const ring::VnodeSet& vnodes, const std::string& pnode,
                    std::chrono::steady_clock::time_point now) {
  if (!vnodes.empty() && vnodes.ranges().back().last >= in_force.ring->vnode_count())
    throw Refusal("no_vnode", "vnode " + std::to_string(vnodes.ranges().back().last) +
                                  " is not in the ring in force");
  std::map<const ring::Ring*, InRing> known;
  const auto in = [&](const Snapshot& snapshot) -> const InRing& {
    const auto found = known.find(snapshot.ring.get());
    if (found != known.end()) return found->second;
    return known.emplace(snapshot.ring.get(), look(*snapshot.ring, vnodes, pnode)).first->second;
  };
  Ownership result;
  const auto take = [&](const InRing& ring) {
    if (!result.other) result.other = ring.other;
    result.none = result.none && !ring.any;
    result.owned = result.owned.united(ring.owned);
  };
  take(in(in_force));
  if (const auto known_pnode = in_force.ring->pnode_named(pnode))
    result.pnode_vnodes = in_force.ring->vnodes_of(*known_pnode).size();
  for (const WorkerReads& worker : workers) {
    take(in(*worker.planning_by));
    for (const ReadsByRing& reads : worker.reads) {
      if (reads.snapshot->ring != in_force.ring) result.older_reads += reads.count;
      if (!in(*reads.snapshot).any) continue;
      result.reads += reads.count;
      result.oldest_read =
          std::max(result.oldest_read,
                   std::chrono::duration_cast<std::chrono::milliseconds>(now - reads.oldest));
    }
  }
  return result;
}

}  // namespace router
