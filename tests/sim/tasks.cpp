// What coordinators do in databases: a step at a time, each on one connection.
#include "tests/sim/world.hpp"

namespace sim {

using reshard::Act;
using reshard::Outcome;

/// Whether the connection to that side still serves.
bool World::use(Task& task, int side) {
  const auto at = static_cast<std::size_t>(side);
  const int where = mission(task.mission).at[at];
  const Session& session = task.sessions[at];
  if (away(where) || session.cut || session.ended != database(where).transactions_ended)
    return false;
  return !(scenario_.failing_statements && !calm() && draws_.in_thousand(8));
}

PlanRow* World::row(const Task& task, int side) {
  return at(task, side).plan(mission(task.mission).number);
}

Outcome World::set_state(const Task& task, int side, State from, State to) {
  PlanRow* row = this->row(task, side);
  if (row == nullptr || row->epoch != task.epoch || (row->state != from && row->state != to))
    return Outcome::failed;
  row->state = to;
  at(task, side).committed();
  return Outcome::done;
}

void World::step_task(int index) {
  Task& task = tasks_[static_cast<std::size_t>(index)];
  if (task.pause > now_) return;
  if (!calm() && chance(1)) {
    task.pause = now_ + any(200);
    return;
  }
  Mission& plan = mission(task.mission);
  const Journal before = plan.journal;
  Answered outcome = run_task(task);
  if (scenario_.kept_in_databases && !(plan.journal == before) &&
      !keep(plan, task.sessions, task.epoch, task.act)) {
    plan.journal = before;
    outcome = Outcome::failed;
  }
  if (!outcome) return;
  const Task ended = task;
  tasks_.erase(tasks_.begin() + index);
  Coordinator& coordinator = coordinators_[static_cast<std::size_t>(ended.coordinator)];
  if (coordinator.mission != ended.mission || coordinator.epoch != ended.epoch ||
      coordinator.task != ended.number)
    return;
  // A cycle that failed leaves the transaction that it read in, unless somebody ends it.
  if (*outcome == Outcome::failed && ended.step > 1 &&
      (ended.act == Act::pump || ended.act == Act::pump_last) &&
      !hold(Rule::source_alone_backs_out))
    coordinator.sessions[0].stuck = true;
  if (!coordinator.alive) return;
  if (ended.act == Act::commit && *outcome == Outcome::done &&
      (!fleet_ || fleet_->hold(FleetRule::leases_from_commit)))
    coordinator.committed_at = now_;
  if (ended.act == Act::bind && *outcome == Outcome::done)
    coordinator.bound = mission(ended.mission).journal.bound;
  coordinator.running = false;
  coordinator.outcome = *outcome;
  coordinator.has_outcome = true;
}

World::Answered World::run_task(Task& task) {
  // One that is stuck in a transaction changes nothing.
  if (task.sessions[0].stuck && needed(task.act).source && task.act != Act::pump)
    return Outcome::failed;
  switch (task.act) {
    case Act::make_schema: return make_schema(task);
    case Act::arm: return arm(task);
    case Act::wait_armed: return wait_armed(task);
    case Act::copy: return task.step < 10 ? begin_copy(task) : copy(task);
    case Act::pump: return pump(task, false);
    case Act::pump_last:
      return hold(Rule::last_cycle_behind_barrier) ? pump(task, false)
                                                   : std::optional(Outcome::done);
    case Act::verify: return verify(task);
    case Act::bind: return bind(task);
    case Act::fence: return fence(task);
    case Act::wait_fenced: return barrier(task, Rule::barrier_when_fenced);
    case Act::advance_sequence:
      if (!use(task, 0) || !use(task, 1)) return Outcome::failed;
      if (hold(Rule::sequence_advanced))
        at(task, 1).last_id = std::max(at(task, 1).last_id, at(task, 0).last_id) + 1;
      return Outcome::done;
    case Act::wait_flushed:
      if (!use(task, 0) || !use(task, 1)) return Outcome::failed;
      if (!hold(Rule::flush_before_commit) || (at(task, 0).flushed() && at(task, 1).flushed()))
        return Outcome::done;
      return std::nullopt;
    case Act::compare_servers: return compare_servers(task);
    case Act::commit: return commit_plan(task);
    case Act::wait_commit_flushed: return wait_commit_flushed(task);
    case Act::commit_target: return commit_target(task);
    case Act::soak: return soak(task);
    case Act::finalize: return finalize(task);
    case Act::begin_cleanup: return begin_cleanup(task);
    case Act::clean: return clean(task);
    case Act::end_cleanup: return end_cleanup(task);
    case Act::back_out: return back_out(task);
    case Act::abort_plan:
      return hold(Rule::source_alone_backs_out) ? abort_plan(task) : abort_both(task);
    case Act::clean_target: return clean_target(task);
    default: return Outcome::failed;
  }
}

}  // namespace sim
