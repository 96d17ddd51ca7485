// What coordinators do in databases behind a cutover.
#include <algorithm>

#include "tests/sim/world.hpp"

namespace sim {

using reshard::Outcome;

World::Answered World::soak(Task& task) {
  Mission& plan = mission(task.mission);
  Journal& journal = plan.journal;
  const bool alone = hold(Rule::new_owner_alone_finalizes);
  if (task.step == 0) {
    if (!use(task, 1)) return Outcome::failed;
    const PlanRow* row = this->row(task, 1);
    if (row == nullptr) return Outcome::failed;
    if (row->state == State::done) return Outcome::done;
    if (row->state == State::guarded)  // a failover has taken its commit away
      return set_state(task, 1, State::guarded, State::committed) == Outcome::done
                 ? Outcome::more
                 : Outcome::failed;
    if (row->state != State::committed) return Outcome::failed;
    if (!(noted(plan)[1].table == journal.noted[1].table)) journal.irreversible = true;
    if (alone && (away(plan.from()) || journal.irreversible)) {
      ++journal.soaked;
      return journal.soaked >= plan.soaks ? Outcome::done : Outcome::more;
    }
    if (alone && !task.sessions[0].open) {  // the old owner, when it is needed
      Coordinator& coordinator = coordinators_[static_cast<std::size_t>(task.coordinator)];
      if (!coordinator.alive || coordinator.epoch != task.epoch || coordinator.sessions[0].cut)
        return Outcome::failed;
      take_side(coordinator, 0);
      task.sessions[0] = coordinator.sessions[0];
    }
  }
  const auto outcome = pump(task, true);
  if (!outcome || *outcome != Outcome::done) return outcome;
  // What takes the plan back begins with a change of its own.
  if (fleet_ && plan.rolls_back && !part_of(task).settled) return Outcome::more;
  ++journal.soaked;
  if (journal.soaked == plan.soaks / 2 && plan.rolls_back && !journal.irreversible) {
    roll_back(task.mission);
    return Outcome::more;
  }
  return journal.soaked >= plan.soaks ? Outcome::done : Outcome::more;
}

/// The reverse stream ends. A barrier, for as long as may be: entries that come later harm nobody.
World::Answered World::finalize(Task& task) {
  Mission& plan = mission(task.mission);
  if (!use(task, 1)) return Outcome::failed;
  Database& to = at(task, 1);
  PlanRow* row = this->row(task, 1);
  if (task.step == 0) {
    if (row == nullptr || row->epoch != task.epoch ||
        (row->state != State::committed && row->state != State::done))
      return Outcome::failed;
    row->state = State::done;
    to.committed();
    task.step = 1;
  }
  if (hold(Rule::pump_filters_vnodes) && !to.barrier_open(plan.number) && ++task.waited < 100)
    return std::nullopt;
  to.now.log.erase_if([&](const LogEntry& entry) {
    const PlanRow* newer = entry.plan > plan.number ? to.plan(entry.plan) : nullptr;
    const bool others = newer != nullptr && newer->state != State::aborted;
    return takes(task, to, entry) && !(others && hold(Rule::pump_filters_vnodes));
  });
  to.committed();
  return Outcome::done;
}

World::Answered World::begin_cleanup(Task& task) {
  Mission& plan = mission(task.mission);
  if (!use(task, 0)) return Outcome::failed;
  if (task.step == 0) {
    // A router that missed everything is waited for, and named. What all give back, a person has
    // moved: its rows stay.
    Vnodes any = 0, all = plan.vnodes;
    if (fleet_) {
      if (!part_of(task).settled) return std::nullopt;
      any = all = static_cast<Vnodes>(fleet_->service.ring().owned_by(plan.from()) & plan.vnodes);
    }
    for (const Router& router : routers_) {
      if (fleet_) break;
      const bool answers = router.up && router.deaf_until <= now_;
      if (answers) any |= static_cast<Vnodes>(router.ring.owned_by(plan.from()) & plan.vnodes);
      all &= answers ? router.ring.owned_by(plan.from()) : Vnodes{0};
    }
    if (hold(Rule::owner_checked_before_delete) && any != all) return std::nullopt;
    if (hold(Rule::reads_drained) && reads_elsewhere(plan.vnodes, plan.to())) return std::nullopt;
    task.step = 1;
  }
  const PlanRow* row = this->row(task, 0);
  if (row == nullptr) return Outcome::failed;
  if (row->state == State::cleaning || row->state == State::done) return Outcome::done;
  if (!row->decided) return Outcome::failed;
  return set_state(task, 0, State::committed, State::cleaning);
}

World::Answered World::clean(Task& task) {
  Mission& plan = mission(task.mission);
  if (!use(task, 0)) return Outcome::failed;
  Database& from = at(task, 0);
  const PlanRow* row = this->row(task, 0);
  if (row == nullptr) return Outcome::failed;
  const bool checks = hold(Rule::cleanup_checks_newest_plan);
  if (row->state == State::done && checks) return Outcome::done;
  if (checks && (row->state != State::cleaning || row->epoch != task.epoch)) return Outcome::failed;
  for (Key key = 0; key < kKeys; ++key) {
    const int vnode = vnode_of(key);
    if (!has(plan.vnodes, vnode) || !from.slot(key).present) continue;
    const PlanRow* newest = from.newest(vnode);
    if (checks && (newest == nullptr || newest->plan != plan.number)) return Outcome::failed;
    from.slot(key) = {};
    from.committed();
    return Outcome::more;
  }
  return Outcome::done;
}

World::Answered World::end_cleanup(Task& task) {
  if (!use(task, 0)) return Outcome::failed;
  const PlanRow* row = this->row(task, 0);
  if (row == nullptr) return Outcome::failed;
  const bool awaits = !fleet_ || fleet_->hold(FleetRule::end_flushed_at_source);
  if (row->state == State::done)
    return awaits && !at(task, 0).flushed() ? Outcome::more : Outcome::done;
  if (row->state != State::cleaning) return Outcome::failed;
  const Answered ended = set_state(task, 0, State::cleaning, State::done);
  return ended == Outcome::done ? Outcome::more : ended;
}

}  // namespace sim
