#pragma once

#include <string>
#include <vector>

#include "reshard/journal.hpp"
#include "reshard/plan.hpp"
#include "reshard/routers.hpp"
#include "ring/ring.hpp"

namespace reshard {

/// What stands in a plan's way, and what to do about it.
struct Obstacle {
  std::string what, advice;
  bool operator==(const Obstacle&) const = default;
};

struct Preflight {
  std::vector<Obstacle> obstacles;  ///< any: the plan must not begin
  std::vector<std::string> warnings;
  double rows = 0, bytes = 0;  ///< that move, as well as it is known
  /// The target has rows, or gets some by another plan: as it looks now, rows will get ids of that
  /// side. It is decided when the copy begins.
  bool populated = false;
  /// The ring that all routers are on, and the one that the plan would make of it; empty: they
  /// don't agree.
  BoundRings rings;
};

/// Looks at everything that a plan needs, and changes nothing. `whole`: reads the key of every row,
/// to see that its vnode is right; else that is left out. `shards`: where else rows may come from
/// that other plans move to the same target; of a shard that is missing a warning says so. Throws
/// only where a database can't be reached at all.
Preflight preflight(const Plan& plan, Routers& routers, const ring::Ring& ring, bool whole,
                    const std::vector<Side>& shards = {});

}  // namespace reshard
