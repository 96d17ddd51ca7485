#include "router/plan/snapshot.hpp"

#include <algorithm>

#include "fast/error_payload.hpp"

namespace router {

Snapshot Snapshot::make(std::shared_ptr<const ring::Ring> ring, RoutingSettings settings,
                        std::shared_ptr<const Gate> gate,
                        std::shared_ptr<const LeasedVnodes> leased) {
  Snapshot snapshot;
  snapshot.gate = gate != nullptr ? std::move(gate) : std::make_shared<const Gate>();
  snapshot.tokens_json = "[";
  for (std::size_t i = 0; i < ring->pnodes().size(); ++i) {
    PnodeState pnode;
    pnode.name = ring->pnodes()[i];
    fast::append_json_string(pnode.quoted_name, pnode.name);
    pnode.node_prefix = "\"_node\":{\"pnode\":" + pnode.quoted_name + ",\"vnode\":";
    if (i < settings.pnodes.size()) {
      pnode.read_only = settings.pnodes[i].read_only;
      pnode.listens = settings.pnodes[i].listens;
    }
    if (pnode.read_only) {
      if (!snapshot.read_only_pnode_names.empty()) snapshot.read_only_pnode_names += ", ";
      snapshot.read_only_pnode_names += pnode.name;
    }
    if (i > 0) snapshot.tokens_json += ',';
    snapshot.tokens_json += pnode.quoted_name;
    snapshot.pnodes.push_back(std::move(pnode));
  }
  snapshot.tokens_json += ']';
  for (const ring::Vnode vnode : ring->data_vnodes())
    if (ring->read_only(vnode))
      snapshot.pnodes[number(ring->owner(vnode))].any_read_only_vnode = true;
  const auto owner = [&](ring::Vnode vnode) -> PnodeState& {
    return snapshot.pnodes[number(ring->owner(vnode))];
  };
  snapshot.gate->held.each([&](ring::Vnode vnode) { owner(vnode).gate = GateMode::hold; });
  snapshot.gate->refused.each([&](ring::Vnode vnode) { owner(vnode).gate = GateMode::refuse; });
  snapshot.leased = std::move(leased);
  snapshot.ring = std::move(ring);
  snapshot.settings = std::move(settings);
  return snapshot;
}

std::shared_ptr<const LeasedVnodes> LeasedVnodes::of(const ring::Ring& ring,
                                                     const ring::VnodeSet& vnodes,
                                                     std::chrono::nanoseconds until) {
  auto made = std::make_shared<LeasedVnodes>();
  made->vnodes = vnodes;
  made->owners.resize(ring.pnodes().size());
  vnodes.each([&](ring::Vnode vnode) { made->owners[number(ring.owner(vnode))] = true; });
  made->lease = std::make_shared<backends::ServingLease>(until);
  return made;
}

std::shared_ptr<const backends::ServingLease> serving_lease(const Snapshot& snapshot,
                                                            ring::PnodeIndex pnode,
                                                            std::optional<ring::Vnode> vnode) {
  if (snapshot.leased == nullptr) return nullptr;
  const bool leased =
      vnode ? snapshot.leased->vnodes.contains(*vnode) : snapshot.leased->owners[number(pnode)];
  return leased ? snapshot.leased->lease : nullptr;
}

bool Snapshot::routed(std::string_view bucket) const {
  return std::find(settings.local_buckets.begin(), settings.local_buckets.end(), bucket) ==
         settings.local_buckets.end();
}

}  // namespace router
