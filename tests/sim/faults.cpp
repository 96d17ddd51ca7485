// What goes wrong: servers that fail over or go away, clocks, networks, disks.
#include <algorithm>

#include "tests/sim/world.hpp"

namespace sim {

void World::fault() {
  const auto some_router = [&]() -> Router& {
    return routers_[static_cast<std::size_t>(any(kRouters))];
  };
  if (fleet_) fleet_fault();
  if (scenario_.clock_jumps && chance(1)) some_router().jump += any(400) - 200;
  if (scenario_.deaf_routers && draws_.in_thousand(6)) {
    some_router().deaf_until = now_ + any(250);
    last_fault_ = now_ + 250;
  }
  if (scenario_.failovers && draws_.in_thousand(5)) fail_over(any(kDatabases));
  if (scenario_.failing_journals && draws_.in_thousand(5) && !missions_.empty()) {
    Journal& journal = mission(any(missions_.size())).journal;
    journal.fails_until = now_ + any(150);
    last_fault_ = std::max(last_fault_, journal.fails_until);
  }
  if (scenario_.away == Scenario::Away::never || left_) return;
  // One that owns nothing, and that a plan needs: as its target, or its old owner in the soak.
  for (const Mission& plan : missions_) {
    if (plan.status != Mission::Status::running || plan.reverts >= 0 || left_) continue;
    const int index = scenario_.old_owner_away ? plan.from() : plan.to();
    const bool soaks = plan.journal.progress.act == reshard::Act::soak && plan.decided;
    // Its coordinator may have been at the same place, and have recorded nothing of the cutover.
    // The target knows of it alone once its standbys do.
    const PlanRow* target = database(plan.to()).plan(plan.number);
    const bool known = database(plan.to()).flushed();
    const bool with_coordinator = scenario_.kept_in_databases && scenario_.old_owner_away &&
                                  known && plan.decided && target != nullptr &&
                                  target->state == State::committed &&
                                  plan.journal.progress.act == reshard::Act::unblock;
    if (scenario_.kept_in_databases && soaks && !known) continue;
    if (scenario_.old_owner_away ? !soaks && !with_coordinator : plan.decided) continue;
    const bool cutover = plan.journal.progress.act >= reshard::Act::prepare &&
                         plan.journal.progress.act <= reshard::Act::commit;
    if (!draws_.in_thousand(with_coordinator ? 300 : cutover ? 60 : 8)) continue;
    bool owns = false;
    for (std::size_t vnode = 0; vnode < kVnodes; ++vnode) {
      owns = owns || owner_[vnode] == index;
      for (const Router& router : routers_)
        owns = owns || router.ring.of(static_cast<int>(vnode)) == index;
    }
    owns = owns || commits_to(index, with_coordinator ? &plan : nullptr);
    if (owns && (scenario_.away == Scenario::Away::for_good || scenario_.old_owner_away)) continue;
    if (with_coordinator)
      for (Coordinator& each : coordinators_)
        if (&mission(each.mission) == &plan) each.alive = each.running = false;
    if (scenario_.away == Scenario::Away::for_a_while)
      go_away(index, now_ + any(300));
    else
      go_away(index, scenario_.away == Scenario::Away::for_good ? kForGood : kCalm + 100);
  }
}

/// Whether it decides a plan, or may own in a moment what a commit that nobody has seen gives it.
bool World::commits_to(int index, const Mission* but) {
  for (const Mission& plan : missions_) {
    if (plan.number == 0 || &plan == but) continue;
    if (plan.from() == index && plan.status == Mission::Status::running &&
        (plan.journal.progress.act < reshard::Act::soak ||
         plan.journal.progress.act >= reshard::Act::back_out))
      return true;
    if (plan.decided || plan.to() != index) continue;
    const PlanRow* row = database(plan.from()).plan(plan.number);
    if (row != nullptr && row->state == State::committed) return true;
    for (const Coordinator& each : coordinators_)
      if (&mission(each.mission) == &plan && each.progress.act == reshard::Act::commit) return true;
    for (const Task& each : tasks_)  // of a coordinator that is dead
      if (&mission(each.mission) == &plan && each.act == reshard::Act::commit) return true;
  }
  return false;
}

void World::go_away(int index, long until) {
  left_ = true;
  Database& database = this->database(index);
  database.away_until = until;
  database.restart();
  last_fault_ = std::max(last_fault_, now_);
}

/// What clients were told, and lost with a standby that lagged, is not the protocol's to keep.
void World::fail_over(int index) {
  if (away(index)) return;
  Database& failed = database(index);
  const auto before = failed.now.slots;
  failed.fail_over();
  last_fault_ = std::max(last_fault_, now_);
  for (Mission& plan : missions_)
    if (plan.number != 0 && (plan.from() == index || plan.to() == index)) look_again(plan);
  if (!scenario_.lagging_standbys) return;
  for (Reader& reader : readers_) reader.step = Reader::Step::idle;
  for (std::size_t key = 0; key < kKeys; ++key) {
    const int version = before[key].last, left = failed.now.slots[key].last;
    if (version == left) continue;
    if (told_by_[key] == index && acknowledged_[key] <= version)
      acknowledged_[key] = std::min(acknowledged_[key], left);
    // Also what was seen elsewhere: by an older ring, of what the reverse stream had brought there.
    const bool owns = owner_[static_cast<std::size_t>(vnode_of(static_cast<Key>(key)))] == index;
    if ((seen_at_[key] == index || owns) && seen_[key] <= version)
      seen_[key] = std::min(seen_[key], left);
  }
}

}  // namespace sim
