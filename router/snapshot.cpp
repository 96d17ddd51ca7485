#include "router/snapshot.hpp"

#include "fast/error_payload.hpp"

namespace router {

Snapshot Snapshot::make(std::shared_ptr<const ring::Ring> ring, const std::vector<bool>& read_only,
                        std::shared_ptr<const Gate> gate) {
  Snapshot snapshot;
  snapshot.gate = gate != nullptr ? std::move(gate) : std::make_shared<const Gate>();
  snapshot.tokens_json = "[";
  for (std::size_t i = 0; i < ring->pnodes().size(); ++i) {
    PnodeState pnode;
    pnode.name = ring->pnodes()[i];
    fast::append_json_string(pnode.quoted_name, pnode.name);
    pnode.read_only = i < read_only.size() && read_only[i];
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
  const auto owner = [&](ring::Vnode vnode) -> PnodeState& { return snapshot.pnodes[number(ring->owner(vnode))]; };
  snapshot.gate->held.each([&](ring::Vnode vnode) { owner(vnode).gate = GateMode::hold; });
  snapshot.gate->refused.each([&](ring::Vnode vnode) { owner(vnode).gate = GateMode::refuse; });
  snapshot.ring = std::move(ring);
  return snapshot;
}

}  // namespace router
