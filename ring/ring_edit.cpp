#include "ring/ring_edit.hpp"

#include <map>
#include <set>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "json/nesting.hpp"
#include "ring/pnode_order.hpp"

namespace ring {

RingParts parts_of(const Ring& ring) {
  RingParts parts;
  parts.algorithm = ring.algorithm();
  parts.interval_hex = ring.interval_hex();
  parts.version = ring.version();
  parts.pnodes.assign(ring.pnodes().begin(), ring.pnodes().end());
  parts.owners.reserve(ring.vnode_count());
  for (std::uint32_t vnode = 0; vnode < ring.vnode_count(); ++vnode)
    parts.owners.push_back(number(ring.owner(static_cast<Vnode>(vnode))));
  for (const Vnode vnode : ring.data_vnodes())
    parts.data.emplace_back(number(vnode), ring.data_json(vnode));
  return parts;
}

void require_vnodes(const Ring& ring, const VnodeSet& vnodes) {
  if (vnodes.empty() || vnodes.ranges().back().last < ring.vnode_count()) return;
  throw std::invalid_argument("vnode " + std::to_string(vnodes.ranges().back().last) +
                              " is not in the ring, whose last is " +
                              std::to_string(ring.vnode_count() - 1));
}

std::shared_ptr<const Ring> remapped(const Ring& ring, const VnodeSet& vnodes,
                                     const std::string& pnode) {
  require_vnodes(ring, vnodes);
  RingParts parts = parts_of(ring);
  std::size_t owner = parts.pnodes.size();
  if (const auto known = ring.pnode_named(pnode)) {
    owner = number(*known);
  } else {
    parts.pnodes.push_back(pnode);
    if (const auto collision = key_collision(parts.pnodes)) throw std::invalid_argument(*collision);
  }
  vnodes.each(
      [&](Vnode vnode) { parts.owners[number(vnode)] = static_cast<std::uint16_t>(owner); });
  return Ring::make(std::move(parts));
}

std::shared_ptr<const Ring> with_data(const Ring& ring, const VnodeSet& vnodes,
                                      const std::string& data_json) {
  require_vnodes(ring, vnodes);
  if (json::nested_too_deep(data_json) || !nlohmann::json::accept(data_json))
    throw std::invalid_argument("the data is not JSON, or nested too deep: " +
                                data_json.substr(0, 100));
  RingParts parts = parts_of(ring);
  std::erase_if(parts.data, [&](const auto& entry) {
    return vnodes.contains(static_cast<Vnode>(entry.first));
  });
  vnodes.each([&](Vnode vnode) { parts.data.emplace_back(number(vnode), data_json); });
  return Ring::make(std::move(parts));
}

VnodeSet not_owned_by(const Ring& ring, const VnodeSet& vnodes, const std::string& pnode) {
  const auto owner = ring.pnode_named(pnode);
  if (!owner) return vnodes;
  std::vector<std::uint32_t> others;
  vnodes.each([&](Vnode vnode) {
    if (ring.owner(vnode) != *owner) others.push_back(number(vnode));
  });
  return VnodeSet::of(std::move(others));
}

VnodeSet with_other_data(const Ring& ring, const VnodeSet& vnodes, const std::string& data_json) {
  std::vector<std::uint32_t> others;
  vnodes.each([&](Vnode vnode) {
    if (ring.data_json(vnode) != data_json) others.push_back(number(vnode));
  });
  return VnodeSet::of(std::move(others));
}

bool comparable(const Ring& from, const Ring& to) {
  return from.vnode_count() == to.vnode_count() && from.algorithm() == to.algorithm() &&
         from.interval_hex() == to.interval_hex();
}

Difference difference(const Ring& from, const Ring& to) {
  if (!comparable(from, to))
    throw std::invalid_argument(
        "the rings hash keys to different vnodes: " + std::to_string(from.vnode_count()) +
        " vnodes against " + std::to_string(to.vnode_count()) +
        ", or another algorithm or interval");
  Difference result;
  std::map<std::pair<PnodeIndex, PnodeIndex>, std::size_t> moves;
  std::vector<std::vector<std::uint32_t>> moved;
  // Two rings may list the same pnodes in another order.
  std::vector<std::optional<PnodeIndex>> same(from.pnodes().size());
  for (std::size_t i = 0; i < same.size(); ++i) same[i] = to.pnode_named(from.pnodes()[i]);
  for (std::uint32_t number_of = 0; number_of < from.vnode_count(); ++number_of) {
    const auto vnode = static_cast<Vnode>(number_of);
    const PnodeIndex old_owner = from.owner(vnode), new_owner = to.owner(vnode);
    if (same[number(old_owner)] == new_owner) continue;
    const auto [at, fresh] = moves.emplace(std::pair{old_owner, new_owner}, moved.size());
    if (fresh) {
      result.moves.push_back({from.pnode_name(old_owner), to.pnode_name(new_owner), {}});
      moved.emplace_back();
    }
    moved[at->second].push_back(number_of);
  }
  for (std::size_t i = 0; i < moved.size(); ++i)
    result.moves[i].vnodes = VnodeSet::of(std::move(moved[i]));

  std::set<std::uint32_t> with_data;
  for (const Ring* ring : {&from, &to})
    for (const Vnode vnode : ring->data_vnodes()) with_data.insert(number(vnode));
  std::map<std::pair<std::string_view, std::string_view>, std::size_t> changes;
  std::vector<std::vector<std::uint32_t>> changed;
  for (const std::uint32_t vnode : with_data) {
    const std::pair texts{from.data_json(static_cast<Vnode>(vnode)),
                          to.data_json(static_cast<Vnode>(vnode))};
    if (texts.first == texts.second) continue;
    const auto [at, fresh] = changes.emplace(texts, changed.size());
    if (fresh) {
      result.data.push_back({std::string(texts.first), std::string(texts.second), {}});
      changed.emplace_back();
    }
    changed[at->second].push_back(vnode);
  }
  for (std::size_t i = 0; i < changed.size(); ++i)
    result.data[i].vnodes = VnodeSet::of(std::move(changed[i]));
  return result;
}

}  // namespace ring
