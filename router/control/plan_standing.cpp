#include "router/control/plan_standing.hpp"

namespace router {

PlanStanding standing_of(const PlanRow& row, const std::string& digest) {
  if (!row.answered) return PlanStanding::unknown;
  if (!row.found) return PlanStanding::none;
  if (row.state == "fenced") return PlanStanding::fenced;
  if (row.state == "preparing" || row.state == "capturing") return PlanStanding::open;
  const bool ours = row.ring_digest == digest;
  if (row.state == "aborted")
    return ours || !row.ring_digest ? PlanStanding::aborted : PlanStanding::other_ring;
  if (!row.decided) return PlanStanding::committed;
  return ours ? PlanStanding::decided : PlanStanding::other_ring;
}

}  // namespace router
