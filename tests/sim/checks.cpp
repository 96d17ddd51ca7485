// What must not be, at any time and at the end.
#include <algorithm>

#include "tests/sim/world.hpp"

namespace sim {

using reshard::Act;

void World::check() {
  if (chance(20)) check_ids();
  if (chance(8)) check_places();
  if (chance(20))
    for (const Mission& plan : missions_) check_soak(plan);
  if ((now_ & 15) == 0) check_refusals();
}

/// deleteMany and updateObjects find rows by their id: two of one id, and another's row is gone.
void World::check_ids() {
  for (int index = 0; index < kDatabases; ++index) {
    const Database& database = databases_[static_cast<std::size_t>(index)];
    const auto& slots = database.now.slots;
    for (std::size_t a = 0; a < kKeys; ++a)
      for (std::size_t b = 0; b < a; ++b) {
        if (!slots[a].present || !slots[b].present) continue;
        if (slots[a].id == slots[b].id)
          violate(Wrong::two_ids, "two rows have the id " + std::to_string(slots[a].id));
        const bool owned = owner_[a / kKeysEach] == index && owner_[b / kKeysEach] == index &&
                           !slots[a].left_over && !slots[b].left_over;
        if (owned && slots[a].unique != 0 && slots[a].unique == slots[b].unique)
          violate(Wrong::two_uniques,
                  "two rows have the unique value " + std::to_string(slots[a].unique));
      }
  }
}

/// Rows are where they are owned, and where a plan that is not over has them.
void World::check_places() {
  for (int index = 0; index < kDatabases; ++index) {
    if (gone(index)) continue;
    const Database& database = databases_[static_cast<std::size_t>(index)];
    for (Key key = 0; key < kKeys; ++key) {
      const Slot& slot = database.slot(key);
      const int vnode = vnode_of(key);
      if (!slot.present || slot.left_over || owner_[static_cast<std::size_t>(vnode)] == index)
        continue;
      const bool moves = std::any_of(
          database.now.plans.begin(), database.now.plans.end(), [&](const PlanRow& row) {
            return has(row.vnodes, vnode) && row.state != State::aborted &&
                   (row.state != State::done || !row.source) &&
                   (row.state != State::done ||
                    mission_of(row.plan).status != Mission::Status::over);
          });
      if (!moves)
        violate(Wrong::misplaced, "key " + std::to_string(key) + " is at shard " +
                                      std::to_string(index) + ", which does not own it");
    }
  }
}

/// The owner is up, and refuses: for a while that is how it must be.
void World::check_refusals() {
  for (int vnode = 0; vnode < kKeyedVnodes; ++vnode) {
    long& since = refused_since_[static_cast<std::size_t>(vnode)];
    int owner = owner_[static_cast<std::size_t>(vnode)];
    for (const Mission& plan : missions_) {  // committed, and not known to be
      const PlanRow* row = plan.number == 0 || plan.decided || !has(plan.vnodes, vnode)
                               ? nullptr
                               : database(plan.from()).plan(plan.number);
      if (row != nullptr && row->state == State::committed) owner = plan.to();
    }
    const bool blocked = std::any_of(routers_.begin(), routers_.end(), [&](const Router& router) {
      return router.up && (fleet_ ? !writes(router, only(vnode)) : has(router.blocked, vnode));
    });
    const bool refused = !away(owner) && (database(owner).judge(vnode, true).refused || blocked);
    if (!refused) {
      since = 0;
      continue;
    }
    if (since == 0) since = now_;
    const long fault = std::max(last_fault_, fleet_ ? fleet_->last_fault : 0);
    if (now_ - std::max(since, fault) > kRefusedMost)
      violate(Wrong::refused, "vnode " + std::to_string(vnode) + " is refused for " +
                                  std::to_string(now_ - since) + " ticks, and its owner is up");
  }
}

/// In a soak with an empty log, and no writer in flight, both sides are equal.
void World::check_soak(const Mission& plan) {
  if (plan.status != Mission::Status::running || plan.journal.progress.act != Act::soak ||
      plan.journal.irreversible || away(plan.from()) || away(plan.to()))
    return;
  const Database &from = database(plan.from()), &to = database(plan.to());
  PlanRow *source = database(plan.from()).plan(plan.number),
          *target = database(plan.to()).plan(plan.number);
  if (source == nullptr || target == nullptr || source->state != State::committed ||
      target->state != State::committed || noted(plan) != plan.journal.noted)
    return;
  const auto index = static_cast<int>(&plan - missions_.begin());
  if (std::any_of(tasks_.begin(), tasks_.end(),
                  [&](const Task& task) { return task.mission == index && task.step > 0; }) ||
      std::any_of(to.now.log.begin(), to.now.log.end(),
                  [&](const LogEntry& entry) { return has(plan.vnodes, vnode_of(entry.key)); }))
    return;
  for (Key key = 0; key < kKeys; ++key) {
    const Slot &a = from.slot(key), &b = to.slot(key);
    if (!has(plan.vnodes, vnode_of(key))) continue;
    if (a.present != b.present || (a.present && (a.last != b.last || a.unique != b.unique)))
      violate(Wrong::differs, "in a soak with an empty log key " + std::to_string(key) +
                                  " differs between the two sides");
  }
}

bool World::over() const {
  return std::all_of(missions_.begin(), missions_.end(),
                     [](const Mission& each) { return each.status == Mission::Status::over; }) &&
         std::all_of(routers_.begin(), routers_.end(),
                     [&](const Router& each) {
                       return each.up && !each.holds_pending() && (!fleet_ || member(each).rests());
                     }) &&
         (!fleet_ || (!fleet_->service.state().change && fleet_->service.all_have_ring())) &&
         !edit_.active && tasks_.empty();
}

void World::check_end() {
  check_places();
  check_ids();
  if (fleet_) check_fleet_end();
  for (const Router& router : routers_)
    for (int vnode = 0; vnode < kKeyedVnodes; ++vnode)
      if (router.ring.of(vnode) != owner_[static_cast<std::size_t>(vnode)] ||
          !(router.ring == routers_[0].ring))
        violate(Wrong::no_ring, "a router is on a ring that is not the one in force");
  for (Key key = 0; key < kKeys; ++key) {
    const auto at = static_cast<std::size_t>(key);
    const Slot& slot = database(owner_[static_cast<std::size_t>(vnode_of(key))]).slot(key);
    const std::string name = "key " + std::to_string(key);
    if (slot.last < acknowledged_[at])
      violate(
          slot.present && deleted_[at] == acknowledged_[at] ? Wrong::back_from_dead : Wrong::lost,
          "lost: " + name + " is version " + std::to_string(slot.last) + ", " +
              std::to_string(acknowledged_[at]) + " was acknowledged");
    if (!slot.present && slot.last > deleted_[at]) violate(Wrong::lost, "gone: " + name);
  }
}

}  // namespace sim
