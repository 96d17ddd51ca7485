#include "router/plan/gate.hpp"

#include <algorithm>

#include "router/plan/errors.hpp"
#include "router/plan/snapshot.hpp"

namespace router {
namespace {

Verdict at_gate(GateMode mode) {
  switch (mode) {
    case GateMode::refuse: return errors::read_only_vnodes();
    case GateMode::hold: return Hold{};
    case GateMode::open: break;
  }
  return Pass{};
}

}  // namespace

GateMode Gate::mode(ring::Vnode vnode) const {
  if (held.contains(vnode)) return GateMode::hold;
  return refused.contains(vnode) ? GateMode::refuse : GateMode::open;
}

Verdict judge_write(const Snapshot& snapshot, ring::Location location) {
  if (snapshot.ring->any_data() && snapshot.ring->read_only(location.vnode))
    return errors::read_only_vnodes();
  const PnodeState& pnode = snapshot.pnodes[number(location.pnode)];
  if (pnode.read_only) return errors::read_only_pnodes(pnode.name);
  if (!snapshot.gate->any()) return Pass{};
  return at_gate(snapshot.gate->mode(location.vnode));
}

Verdict judge_shard_write(const Snapshot& snapshot, ring::PnodeIndex index) {
  const PnodeState& pnode = snapshot.pnodes[number(index)];
  if (pnode.any_read_only_vnode) return errors::read_only_vnodes();
  if (pnode.read_only) return errors::read_only_pnodes(pnode.name);
  return at_gate(pnode.gate);
}

Verdict judge_fleet_write(const Snapshot& snapshot, bool any_data, bool override_data) {
  const bool blocked =
      any_data ? snapshot.ring->any_data()
               : std::any_of(snapshot.pnodes.begin(), snapshot.pnodes.end(),
                             [](const PnodeState& pnode) { return pnode.any_read_only_vnode; });
  if (blocked && !override_data) return errors::read_only_vnodes();
  if (!snapshot.read_only_pnode_names.empty())
    return errors::read_only_pnodes(snapshot.read_only_pnode_names);
  if (!snapshot.gate->refused.empty()) return at_gate(GateMode::refuse);
  return at_gate(snapshot.gate->held.empty() ? GateMode::open : GateMode::hold);
}

}  // namespace router
