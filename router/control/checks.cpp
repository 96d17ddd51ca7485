#include "router/control/checks.hpp"

#include <algorithm>

#include "ring/ring_edit.hpp"
#include "router/plan/refusal.hpp"

namespace router {

/// With electric-moray's configuration any URL would do for a shard: a misspelt one too.
void require_pnode(const config::Config& config, const ring::Ring& ring, const std::string& pnode) {
  if (ring.pnode_named(pnode)) return;
  const auto resolved = config::resolve_shards(config, {pnode});
  const bool named =
      resolved.problems.empty() && (!config.electric_moray || !resolved.shards.front().read_only) &&
      !(config.shards_from_url &&
        std::none_of(config.shards.begin(), config.shards.end(),
                     [&](const config::Shard& shard) { return shard.pnode == pnode; }));
  if (!named)
    throw Refusal(
        "unknown_pnode",
        "pnode \"" + pnode + "\" is neither in the ring nor named in the configuration's shards");
}

/// A plan's row is read, and its vnodes are guarded, in PostgreSQL alone.
void require_database(const config::Config& config, const std::string& pnode) {
  const bool known =
      std::any_of(config.shards.begin(), config.shards.end(), [&](const config::Shard& shard) {
        return shard.pnode == pnode && shard.backend == config::Backend::postgres;
      });
  if (!known)
    throw Refusal("unknown_pnode",
                  "pnode \"" + pnode + "\" is no PostgreSQL shard of the configuration");
}

void require_owner(const ring::Ring& ring, const ring::VnodeSet& vnodes, const std::string& pnode) {
  const ring::VnodeSet others = not_owned_by(ring, vnodes, pnode);
  if (others.empty()) return;
  const auto first = static_cast<ring::Vnode>(others.ranges().front().first);
  throw Refusal("not_owner", "vnode " + std::to_string(number(first)) + " is \"" +
                                 std::string(ring.pnode_name(ring.owner(first))) +
                                 "\"'s in the ring in force, not \"" + pnode + "\"'s");
}

void require_digest(const char* which, const std::string& found, const std::string& wanted) {
  if (!wanted.empty() && found != wanted)
    throw Refusal("other_ring", std::string(which) + " is " + found + ", not " + wanted);
}

ring::VnodeSet moved_between(const ring::Ring& from, const ring::Ring& to) {
  ring::VnodeSet moved;
  if (!comparable(from, to)) return moved;
  for (const auto& move : difference(from, to).moves) moved = moved.united(move.vnodes);
  return moved;
}

std::uint64_t changed_between(const ring::Ring& from, const ring::Ring& to) {
  return all_changed_between(from, to).size();
}

ring::VnodeSet all_changed_between(const ring::Ring& from, const ring::Ring& to) {
  if (!comparable(from, to)) return ring::VnodeSet::of_ranges({{0, to.vnode_count() - 1}});
  const auto found = difference(from, to);
  ring::VnodeSet changed;
  for (const auto& move : found.moves) changed = changed.united(move.vnodes);
  for (const auto& data : found.data) changed = changed.united(data.vnodes);
  return changed;
}

}  // namespace router
