// Coordinators: they follow reshard/step.hpp, die or stop, and are followed by others.
#include <algorithm>

#include "tests/sim/world.hpp"

namespace sim {

using reshard::Act;
using reshard::Outcome;

namespace {

bool tells_routers(Act act) {
  switch (act) {
    case Act::prepare:
    case Act::block:
    case Act::activate:
    case Act::unblock:
    case Act::unblock_source:
    case Act::drop_pending: return true;
    default: return false;
  }
}

/// Nothing is blocked there: a coordinator may end.
bool may_end(Act act) { return act <= Act::prepare && act != Act::take_over; }

/// The row in the database decides there, whatever the journal can be told.
bool row_decides(Act act) { return act >= Act::fence && act <= Act::unblock; }

}  // namespace

void World::start_coordinator(int index) {
  Mission& plan = mission(index);
  Coordinator coordinator;
  coordinator.mission = index;
  coordinator.progress = reshard::resumed(plan.journal.progress);
  coordinator.aborting = plan.abort_asked;
  coordinator.since = now_;
  for (Coordinator& each : coordinators_)
    if (!each.alive && !each.running &&
        std::none_of(tasks_.begin(), tasks_.end(), [&](const Task& task) {
          return &coordinators_[static_cast<std::size_t>(task.coordinator)] == &each;
        })) {
      each = coordinator;
      if (fleet_) part(each) = FleetPart(fleet_->service);
      return;
    }
  coordinators_.push_back(coordinator);
  if (fleet_) static_cast<void>(part(coordinators_.back()));
}

void World::step_coordinators() {
  for (int i = 0; i < missions_.size(); ++i) {
    Mission& plan = mission(i);
    if (plan.status != Mission::Status::running) continue;
    if (ended_by(plan.journal)) {
      end_mission(plan);
      continue;
    }
    const bool any_alive =
        std::any_of(coordinators_.begin(), coordinators_.end(), [&](const Coordinator& each) {
          return each.mission == i && each.alive && each.stopped_until <= now_;
        });
    if (!any_alive && (chance(10) || calm())) start_coordinator(i);
    if (any_alive && scenario_.second_coordinators && !calm() && draws_.in_thousand(3))
      start_coordinator(i);
  }
  for (std::size_t i = 0; i < coordinators_.size(); ++i)
    if (coordinators_[i].alive && coordinators_[i].stopped_until <= now_ && chance(60))
      step_coordinator(static_cast<int>(i));
}

void World::step_coordinator(int index) {
  Coordinator& coordinator = coordinators_[static_cast<std::size_t>(index)];
  // Over a fleet most is at stake from the fence to the unblock.
  const int often = fleet_ && row_decides(coordinator.progress.act) ? 4 : 1;
  if (scenario_.dying_coordinators && !calm() && draws_.in_thousand(4 * often)) {
    coordinator.alive = false;  // what it has sent to databases goes on, and may take its time
    coordinator.running = false;
    last_fault_ = now_;
    for (Task& task : tasks_)
      if (task.coordinator == index && chance(60)) task.pause = now_ + any(500);
    return;
  }
  if (scenario_.stopped_coordinators && !calm() && draws_.in_thousand(5 * often)) {
    coordinator.stopped_until = last_fault_ = now_ + any(400);
    return;
  }
  const Act act = coordinator.progress.act;
  if (fleet_) step_part(coordinator);
  if (act == Act::block && coordinator.blocked_since == 0) coordinator.blocked_since = now_;
  if (act < Act::block || act > Act::commit) coordinator.blocked_since = 0;
  // No answer is waited for beyond the budget. A statement goes on; a transaction that its session
  // was in the middle of ends with that.
  if (coordinator.running && coordinator.blocked_since != 0 &&
      now_ - coordinator.blocked_since > kBudget && act != Act::block) {
    if (act != Act::fence && act != Act::commit)
      for (Task& task : tasks_)
        if (task.number == coordinator.task) task.sessions[0].cut = task.sessions[1].cut = true;
    coordinator.running = false;
    coordinator.task = 0;
    coordinator.has_outcome = true;
    coordinator.outcome = Outcome::failed;
  }
  if (coordinator.running) return;  // waits for its task
  if (coordinator.has_outcome) {
    coordinator.has_outcome = false;
    return next_act(coordinator, coordinator.outcome);
  }
  begin_act(coordinator, index);
}

/// False: it can't be written. Records of a coordinator that was followed are not read.
bool World::record(Coordinator& coordinator) {
  Journal& journal = mission(coordinator.mission).journal;
  if (journal.fails_until > now_) return false;
  if (coordinator.epoch != journal.writer && hold(Rule::journal_names_writer)) return true;
  journal.progress = coordinator.progress;
  const Act act = coordinator.progress.act;
  const bool held = (act >= Act::block && act <= Act::unblock) || act == Act::back_out ||
                    act == Act::unblock_source;
  if (!scenario_.kept_in_databases || held) return true;
  return keep(mission(coordinator.mission), coordinator.sessions, coordinator.epoch, act);
}

void World::next_act(Coordinator& coordinator, Outcome outcome) {
  Mission& plan = mission(coordinator.mission);
  const Act before = coordinator.progress.act;
  const bool cutover = before >= Act::prepare && before <= Act::commit;
  if (outcome == Outcome::failed && cutover) {
    ++plan.journal.failed;
    if (!calm()) coordinator.progress.give_up = chance(scenario_.aborts ? 20 : 4);
  }
  if (coordinator.aborting && coordinator.progress.act != Act::take_over)
    coordinator.progress.give_up = true;
  if (before == Act::prepare) {
    plan.journal.unbound = outcome == Outcome::unbound ? plan.journal.unbound + 1 : 0;
    if (plan.journal.unbound >= (calm() ? 30 : 10)) stop(plan);
  }
  coordinator.progress = reshard::after(coordinator.progress, outcome);
  if (coordinator.progress.act != before) coordinator.tries = 0;
  if (coordinator.progress.act == Act::wait_commit_flushed && before != Act::commit &&
      before != Act::wait_commit_flushed)
    coordinator.committed_at = now_;
  coordinator.router = 0;
  coordinator.since = now_;
  if (fleet_ && fleet_->service.traces && coordinator.progress.act != before)
    fleet_->service.say("plan " + std::to_string(plan.number) + ", coordinator " +
                        std::to_string(coordinator.epoch) + ": " +
                        std::string(to_string(coordinator.progress.act)));
}

void World::end_mission(Coordinator& coordinator) {
  Mission& plan = mission(coordinator.mission);
  coordinator.alive = false;
  if (coordinator.epoch != plan.journal.writer || !record(coordinator)) return;
  if (plan.status == Mission::Status::running) end_mission(plan);
}

void World::end_mission(Mission& plan) {
  plan.status = Mission::Status::over;
  plan.ended = true;
  plan.aborted = plan.journal.progress.act == Act::aborted;
  if (plan.aborted) ++done_.aborted;
  if (plan.reverts >= 0) {
    Mission& forward = mission(plan.reverts);
    forward.status = plan.aborted ? Mission::Status::running : Mission::Status::over;
    forward.rolls_back = false;
  }
  check_places();
}

/// Begins an act; those that talk to databases become tasks, which go on without their coordinator.
void World::begin_act(Coordinator& coordinator, int index) {
  Mission& plan = mission(coordinator.mission);
  const Act act = coordinator.progress.act;
  if (act == Act::take_over) {
    if (calm() || chance(20)) take_over(coordinator);
    return;
  }
  if (act == Act::finished || act == Act::aborted) {
    // Nobody else would bring the state to what the row says.
    if (!fleet_ || part(coordinator).settled) end_mission(coordinator);
    return;
  }
  if (coordinator.sessions[0].cut || coordinator.sessions[1].cut) {
    // It finds its locks gone with its next statement. Routers it tells what it was about to.
    if (!tells_routers(act) || chance(5)) {
      coordinator.alive = false;
      return;
    }
  }
  if (plan.status != Mission::Status::running || (plan.journal.stopped && may_end(act))) {
    coordinator.alive = false;
    return;
  }
  if (!record(coordinator) &&
      !(row_decides(act) &&
        hold(Rule::journal_names_writer))) {  // else it ends, and an alarm is raised
    coordinator.alive = false;
    last_fault_ = now_;
    return;
  }
  if (!tells_routers(act)) return begin_task(coordinator, index);
  const Answered outcome = fleet_                 ? tell_fleet(coordinator)
                           : act == Act::activate ? wait_activated(coordinator)
                                                  : tell_routers(coordinator);
  if (!outcome) return;
  coordinator.outcome = *outcome;
  coordinator.has_outcome = true;
}

World::Sides World::needed(Act act) const {
  const bool before = !hold(Rule::source_alone_backs_out);
  const bool after = !hold(Rule::new_owner_alone_finalizes);
  switch (act) {
    case Act::arm:
    case Act::wait_armed:
    case Act::fence:
    case Act::wait_fenced:
    case Act::wait_commit_flushed:
    case Act::begin_cleanup:
    case Act::clean:
    case Act::end_cleanup: return {true, false};
    case Act::back_out:
    case Act::abort_plan: return {true, before};
    case Act::commit: return {true, hold(Rule::version_in_commit)};
    case Act::commit_target: return {false, true};
    case Act::soak:
    case Act::finalize: return {after, true};
    case Act::clean_target: return {before, before || hold(Rule::target_taken_over_before_clean)};
    default: return tells_routers(act) ? Sides{} : Sides{true, true};
  }
}

void World::begin_task(Coordinator& coordinator, int index) {
  const Mission& plan = mission(coordinator.mission);
  const Act act = coordinator.progress.act;
  const Sides sides = needed(act);
  for (int side = 0; side < 2; ++side) {
    if (!(side == 0 ? sides.source : sides.target)) continue;
    if (coordinator.sessions[static_cast<std::size_t>(side)].open) continue;
    if (away(plan.at[static_cast<std::size_t>(side)])) {
      // A router that did not hear of the last attempt's end is told again while others are away.
      if (!fleet_ && act > Act::take_over && act < Act::prepare)
        for (Router& router : routers_)
          if (router.pending.plan == plan.number && reached(router) &&
              !older(router, coordinator, false))
            abandon_as(router, plan.number, coordinator.epoch);
      if (act > Act::take_over && act < Act::prepare) keep_source_open(coordinator);
      if (chance(20)) {
        coordinator.outcome = Outcome::failed;
        coordinator.has_outcome = true;
      }
      return;
    }
    take_side(coordinator, side);
  }
  Task task;
  task.act = act;
  task.coordinator = index;
  task.mission = coordinator.mission;
  task.epoch = coordinator.epoch;
  task.attempt = static_cast<int>(coordinator.progress.attempt);
  task.copies = coordinator.progress.copies;
  task.verify_again = coordinator.progress.verify_again;
  task.sessions = coordinator.sessions;
  for (int side = 0; side < 2; ++side) {
    Session& session = task.sessions[static_cast<std::size_t>(side)];
    const Database& database = this->database(plan.at[static_cast<std::size_t>(side)]);
    // One that needs no taking over, or a new one in place of one that is stuck.
    if (!session.open) session.ended = database.transactions_ended;
    if (act == Act::back_out && side == 0 && hold(Rule::source_alone_backs_out)) {
      session.stuck = false;
      session.ended = database.transactions_ended;
    }
  }
  task.number = coordinator.task = ++task_numbers_;
  tasks_.push_back(task);
  coordinator.running = true;
}

/// Locks, the end of older backends, and a new epoch, at the sides that the next act needs.
void World::take_over(Coordinator& coordinator) {
  Mission& plan = mission(coordinator.mission);
  // Which side decides is the journal's to say: what this one knew may be another one's past.
  if (!know_again(plan)) return;
  if (hold(Rule::journal_read_under_lock))
    coordinator.progress = reshard::resumed(plan.journal.progress);
  const Act next = coordinator.progress.after_take_over;
  const bool committed = next >= Act::wait_commit_flushed && next <= Act::end_cleanup;
  const bool gives_up = coordinator.aborting && next != Act::clean_target && !committed;
  const Act act = gives_up ? Act::back_out : next;
  Sides sides = needed(act);
  if (!hold(Rule::source_alone_backs_out) && act <= Act::commit) sides = {true, true};
  if (act >= Act::back_out && act <= Act::aborted && !hold(Rule::source_alone_backs_out))
    sides = {true, true};
  if (act > Act::commit && act < Act::back_out && !hold(Rule::new_owner_alone_finalizes))
    sides = {true, true};
  if (tells_routers(act)) sides.source = true;
  if ((sides.source && away(plan.from())) || (sides.target && away(plan.to()))) {
    // Who asks for an end is told what stays where it is.
    const bool late = act >= Act::begin_cleanup && act <= Act::end_cleanup;
    if ((late && gone(plan.from())) || (act == Act::clean_target && gone(plan.to()))) {
      plan.left = true;
      ++done_.left;
      coordinator.epoch = plan.journal.writer = ++epochs_;
      coordinator.progress.act = late ? Act::finished : Act::aborted;
    }
    const PlanRow* row = away(plan.from()) ? nullptr : database(plan.from()).plan(plan.number);
    if (next > Act::take_over && next < Act::prepare && row != nullptr &&
        row->state == State::fenced) {  // the source alone is taken over, to serve meanwhile
      coordinator.epoch = plan.journal.writer = ++epochs_;
      coordinator.sessions = {};
      take_side(coordinator, 0);
      keep_source_open(coordinator);
    }
    return;
  }
  coordinator.epoch = ++epochs_;
  coordinator.sessions = {};
  if (sides.source) take_side(coordinator, 0);
  if (sides.target) take_side(coordinator, 1);
  know_again(plan);
  if (hold(Rule::journal_read_under_lock))
    coordinator.progress = reshard::resumed(plan.journal.progress);
  plan.journal.writer = coordinator.epoch;
  coordinator.bound = plan.journal.bound;
  if (fleet_) part(coordinator).begin_anew();
  coordinator.outcome = Outcome::done;
  coordinator.has_outcome = true;
  const Act then = coordinator.progress.after_take_over;
  const bool late = then >= Act::wait_commit_flushed && then <= Act::end_cleanup;
  if (coordinator.aborting && !late && then != Act::clean_target &&
      coordinator.progress.act == Act::take_over) {
    coordinator.progress.after_take_over = Act::back_out;  // which finds out if it is committed
    coordinator.progress.give_up = true;
  } else if (late) {
    coordinator.aborting = plan.abort_asked = false;
  }
}

void World::take_side(Coordinator& coordinator, int side) {
  Mission& plan = mission(coordinator.mission);
  const auto at = static_cast<std::size_t>(side);
  const int where = plan.at[at];
  Database& database = this->database(where);
  const auto same = [&](int other) {  // a rollback ends the reverse stream of its forward plan, too
    return other == coordinator.mission || other == plan.reverts;
  };
  if (hold(Rule::old_backends_ended)) {
    for (Task& task : tasks_)
      if (same(task.mission))
        for (std::size_t i = 0; i < 2; ++i)
          if (mission(task.mission).at[i] == where && !rules_.backends_survive())
            task.sessions[i].cut = true;
    for (Coordinator& each : coordinators_)
      if (same(each.mission) && &each != &coordinator)
        for (std::size_t i = 0; i < 2; ++i)
          if (mission(each.mission).at[i] == where) each.sessions[i].cut = true;
  }
  coordinator.sessions[at] = {true, false, database.transactions_ended, false};
  make_whole(plan, at, coordinator.epoch);
  if (PlanRow* row = database.plan(plan.number)) {
    row->epoch = coordinator.epoch;
    database.committed();
  }
  const Act act = coordinator.progress.act;
  if (side == 0 && act > Act::take_over && act < Act::prepare) keep_source_open(coordinator);
}

/// A failover may have brought a fence back that an earlier attempt had taken away.
void World::keep_source_open(Coordinator& coordinator) {
  const Mission& plan = mission(coordinator.mission);
  Session& session = coordinator.sessions[0];
  Database& database = this->database(plan.from());
  if (!session.open || session.cut || away(plan.from())) return;
  if (database.transactions_ended != session.ended) {
    session.open = false;  // taken anew by the next try
    return;
  }
  PlanRow* row = database.plan(plan.number);
  if (row == nullptr || row->state != State::fenced || row->epoch != coordinator.epoch) return;
  row->state = State::capturing;
  if (hold(Rule::ring_bound_late)) row->base = row->next = 0;
  database.committed();
}

}  // namespace sim
