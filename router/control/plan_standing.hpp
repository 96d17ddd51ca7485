#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace router {

/// What a plan of resharding has come to, as its row in a shard's database says
/// (docs/resharding.md).
enum class PlanStanding : std::uint8_t {
  unknown,     ///< the database does not answer
  none,        ///< it has no such plan
  open,        ///< writes go where they always went
  fenced,      ///< neither: the coordinator is about to decide
  committed,   ///< decided, but a failover might take it back
  decided,     ///< with the ring that was asked about
  other_ring,  ///< decided, with another one
  aborted,
};

/// A plan's row, as far as it was read.
struct PlanRow {
  bool answered = false;  ///< by the database; else nothing is known
  bool found = false;
  std::string state;
  bool decided = false;
  std::optional<std::string> ring_digest;  ///< nullopt: not bound to any ring
};

/// Pure. A router acts on a row only where that is about the ring that it holds: the plan may have
/// been backed out and bound to another one since. An aborted plan that is bound to none has taken
/// all of its rings back.
PlanStanding standing_of(const PlanRow& row, const std::string& digest);

}  // namespace router
