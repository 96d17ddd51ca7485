#pragma once

#include <cstdint>
#include <variant>

#include "fast/error_payload.hpp"
#include "ring/ring.hpp"
#include "ring/vnode_set.hpp"

namespace router {

struct Snapshot;

/// What becomes of a write to a blocked vnode.
enum class GateMode : std::uint8_t {
  open,    ///< it passes
  hold,    ///< it waits, and goes on when the vnode is unblocked
  refuse,  ///< ReadOnlyError at once
};

/// The vnodes whose writes an operator has blocked. In memory only: a restart opens them; the
/// durable form is the ring's data "ro". A part of the snapshot, immutable there.
struct Gate {
  ring::VnodeSet held;
  ring::VnodeSet refused;  ///< shares no vnode with `held`

  [[nodiscard]] bool any() const { return !held.empty() || !refused.empty(); }
  [[nodiscard]] GateMode mode(ring::Vnode vnode) const;  ///< O(log ranges)
  bool operator==(const Gate&) const = default;
};

/// The write may start.
struct Pass {};
/// The write waits (router/serve/held_writes.hpp).
struct Hold {
  bool operator==(const Hold&) const = default;
};
using Verdict = std::variant<Pass, Hold, fast::Error>;

/// May a write to this vnode start? The ring's data first, then the configuration, then the gate.
Verdict judge_write(const Snapshot& snapshot, ring::Location location);
/// May a write that names no vnode start on one shard?
Verdict judge_shard_write(const Snapshot& snapshot, ring::PnodeIndex pnode);
/// May a write to every shard start? `any_data`: whether vnode data of any kind refuses it
/// (bucket changes, sql), or only "ro". `override_data`: sql's readOnlyOverride, which passes by
/// the data but not by the gate: a block promises that no write starts behind it.
Verdict judge_fleet_write(const Snapshot& snapshot, bool any_data, bool override_data);

}  // namespace router
