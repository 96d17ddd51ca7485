#include "router/gate.hpp"

#include <algorithm>

#include "router/errors.hpp"

namespace router {

std::optional<fast::Error> refuse_write(const Snapshot& snapshot, ring::Location location) {
  if (snapshot.ring->any_data() && snapshot.ring->read_only(location.vnode))
    return errors::read_only_vnodes();
  const PnodeState& pnode = snapshot.pnodes[number(location.pnode)];
  if (pnode.read_only) return errors::read_only_pnodes(pnode.name);
  return std::nullopt;
}

std::optional<fast::Error> refuse_shard_write(const Snapshot& snapshot, ring::PnodeIndex index) {
  const PnodeState& pnode = snapshot.pnodes[number(index)];
  if (pnode.any_read_only_vnode) return errors::read_only_vnodes();
  if (pnode.read_only) return errors::read_only_pnodes(pnode.name);
  return std::nullopt;
}

std::optional<fast::Error> refuse_fleet_write(const Snapshot& snapshot, bool any_data,
                                              bool override_vnodes) {
  const bool blocked =
      any_data ? snapshot.ring->any_data()
               : std::any_of(snapshot.pnodes.begin(), snapshot.pnodes.end(),
                             [](const PnodeState& pnode) { return pnode.any_read_only_vnode; });
  if (blocked && !override_vnodes) return errors::read_only_vnodes();
  if (!snapshot.read_only_pnode_names.empty())
    return errors::read_only_pnodes(snapshot.read_only_pnode_names);
  return std::nullopt;
}

}  // namespace router
