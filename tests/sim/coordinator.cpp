// Coordinators: they follow reshard/step.hpp, die, and are followed by others.
#include <algorithm>

#include "tests/sim/world.hpp"

namespace sim {

using reshard::Act;
using reshard::Outcome;

void World::start_coordinator() {
  Coordinator coordinator;
  coordinator.progress = reshard::resumed(journal_.progress);
  coordinator.direction = journal_.direction;
  coordinator.since = now_;
  coordinators_.push_back(coordinator);
}

void World::step_coordinators() {
  const bool any_alive = std::any_of(coordinators_.begin(), coordinators_.end(),
                                     [](const Coordinator& each) { return each.alive; });
  if (!any_alive && (chance(10) || calm())) start_coordinator();
  if (any_alive && scenario_.second_coordinators && !calm() && chance(1) && chance(30))
    start_coordinator();
  for (std::size_t i = 0; i < coordinators_.size(); ++i)
    if (coordinators_[i].alive && chance(60)) step_coordinator(i);
}

void World::step_coordinator(std::size_t index) {
  Coordinator& coordinator = coordinators_[index];
  if (!calm() && chance(1) && chance(40)) {
    coordinator.alive = false;  // what it has sent to databases goes on, and may take its time
    for (Task& task : tasks_)
      if (task.coordinator == static_cast<int>(index) && chance(60)) task.pause = now_ + any(500);
    return;
  }
  if (coordinator.running) return;  // waits for its task
  if (coordinator.outcome) {
    const Outcome outcome = *coordinator.outcome;
    coordinator.outcome.reset();
    next_act(coordinator, outcome);
    return;
  }
  begin_act(coordinator, index);
}

void World::next_act(Coordinator& coordinator, Outcome outcome) {
  const Act before = coordinator.progress.act;
  if (outcome == Outcome::failed && before >= Act::prepare && before <= Act::commit && !calm())
    coordinator.progress.give_up = chance(20);
  coordinator.progress = reshard::after(coordinator.progress, outcome);
  if (coordinator.progress.act != before) coordinator.tries = 0;
  coordinator.router = 0;
  coordinator.since = now_;
  const bool own = coordinator.epoch == epoch_;  // else the journal is another's
  if (own && before == Act::soak && coordinator.direction.plan == 1 &&
      scenario_.story == Scenario::Story::there_and_rolled_back &&
      coordinator.progress.act == Act::finalize) {
    // A server that failed over meanwhile has lost rows that the reverse stream had brought.
    const auto timelines =
        rules_.hold(Rule::rollback_keeps_identities) ? journal_.timelines : std::array<int, 2>{};
    journal_ = {reshard::rollback(), {2, 1, 0, 3}, 0, timelines, 0};
    coordinator.progress = journal_.progress;
    coordinator.direction = journal_.direction;
  }
  if (own && coordinator.progress.act == Act::finished) end_of_plan(coordinator);
}

void World::end_of_plan(Coordinator& coordinator) {
  if (coordinator.direction.plan != 1 || scenario_.story != Scenario::Story::there_cleaned_and_back)
    return;
  journal_ = {reshard::Progress{}, {2, 1, 0, 3}, 0, {}, 0};
  coordinator.progress = journal_.progress;
  coordinator.direction = journal_.direction;
}

/// Begins an act; those that talk to databases become tasks, which go on without their coordinator.
void World::begin_act(Coordinator& coordinator, std::size_t index) {
  const Act act = coordinator.progress.act;
  if (act == Act::finished || act == Act::aborted) {
    if (coordinator.epoch != epoch_) {
      coordinator.alive = false;
      return;
    }
    journal_.progress = coordinator.progress;
    ending_ = true;
    return;
  }
  if (act == Act::take_over) {
    if (calm() || chance(20)) take_over(coordinator);
    return;
  }
  if (coordinator.epoch != epoch_ && (!coordinator.sessions || chance(10))) {
    coordinator.alive = false;  // it finds its locks gone, at the latest with its next statement
    return;
  }
  if (coordinator.epoch == epoch_) journal_.progress = coordinator.progress;
  std::optional<Outcome> outcome;
  switch (act) {
    case Act::prepare:
    case Act::block:
    case Act::unblock:
    case Act::unblock_source:
    case Act::drop_pending: outcome = tell_routers(coordinator); break;
    case Act::activate: outcome = wait_activated(coordinator); break;
    default: {
      if (!coordinator.sessions) {
        coordinator.alive = false;
        return;
      }
      Task task;
      task.act = act;
      task.coordinator = static_cast<int>(index);
      task.plan = coordinator.direction.plan;
      task.epoch = coordinator.epoch;
      task.attempt = static_cast<int>(coordinator.progress.attempt);
      task.copies = coordinator.progress.copies;
      task.verify_again = coordinator.progress.verify_again;
      task.from = coordinator.direction.from;
      task.to = coordinator.direction.to;
      task.ended = {databases_[0].transactions_ended, databases_[1].transactions_ended};
      tasks_.push_back(task);
      coordinator.running = true;
      if (act == Act::copy && !rules_.hold(Rule::no_pump_beside_copy) && chance(40)) {
        task.act = Act::pump;
        task.beside = true;
        tasks_.push_back(task);
      }
      return;
    }
  }
  if (outcome) coordinator.outcome = outcome;
}

void World::take_over(Coordinator& coordinator) {
  if (!rules_.backends_survive()) tasks_.clear();
  if (rules_.hold(Rule::old_backends_ended)) {
    for (Coordinator& each : coordinators_) {
      each.sessions = false;
      each.running = false;
    }
  }
  coordinator.sessions = true;
  coordinator.epoch = ++epoch_;
  if (rules_.hold(Rule::journal_read_under_lock)) {
    coordinator.progress = reshard::resumed(journal_.progress);
    coordinator.direction = journal_.direction;
  }
  journal_.direction = coordinator.direction;
  coordinator.source_ended =
      databases_[static_cast<std::size_t>(coordinator.direction.from)].transactions_ended;
  for (Database& database : databases_)
    if (PlanRow* row = database.plan(coordinator.direction.plan)) {
      row->epoch = coordinator.epoch;
      database.committed();
    }
  coordinator.outcome = Outcome::done;
}

/// One router a step. Before the commit a router that does not answer ends the attempt.
std::optional<Outcome> World::tell_routers(Coordinator& coordinator) {
  const Act act = coordinator.progress.act;
  const bool must_answer = act == Act::prepare || act == Act::block;
  // Nobody else would make the mark again that the commit is decided.
  const Database& from = databases_[static_cast<std::size_t>(coordinator.direction.from)];
  const bool all_told = coordinator.router >= routers_.size();
  if (all_told && from.transactions_ended != coordinator.source_ended)
    return Outcome::failed;  // the session is gone, and the mark perhaps
  if (all_told) return from.flushed() ? std::optional(Outcome::done) : std::nullopt;
  Router& router = routers_[coordinator.router];
  // It would serve by the ring before, under a new lease.
  const bool wrong_ring = act == Act::prepare && rules_.hold(Rule::prepare_names_ring) &&
                          router.generation != coordinator.direction.generation - 1;
  const bool reached =
      router.up && router.deaf_until <= now_ && !wrong_ring && (calm() || !chance(3));
  if (!reached) {
    if (must_answer)
      return ++coordinator.tries > 20 || chance(30) ? std::optional(Outcome::failed) : std::nullopt;
  } else {
    switch (act) {
      case Act::prepare:
        router.pending = Pending{coordinator.direction.plan, coordinator.direction.generation};
        router.leased = true;
        router.lease_until = clock(router) + kLease;
        break;
      case Act::block:
        router.blocked = true;
        if (router.in_flight > 0)
          return ++coordinator.tries > 200 ? std::optional(Outcome::failed) : std::nullopt;
        break;
      case Act::unblock:
      case Act::unblock_source: router.blocked = false; break;
      default:  // drop_pending
        if (router.pending && router.pending->plan == coordinator.direction.plan) {
          router.pending.reset();
          router.leased = false;
        }
    }
  }
  if (++coordinator.router < routers_.size() || act == Act::unblock) return std::nullopt;
  return Outcome::done;
}

/// All have activated, or no lease that was given before the commit lasts any more.
std::optional<Outcome> World::wait_activated(Coordinator& coordinator) {
  bool all = true;
  for (Router& router : routers_) {
    if (router.generation == coordinator.direction.generation) continue;
    const bool reached = router.up && router.deaf_until <= now_ && (calm() || chance(50));
    if (reached && router.pending && router.pending->plan == coordinator.direction.plan)
      activate(router);
    if (router.generation != coordinator.direction.generation) all = false;
  }
  if (all || !rules_.hold(Rule::routers_left_before_target) ||
      now_ - coordinator.since > kLease + kMargin)
    return Outcome::done;
  return std::nullopt;
}

void World::step_task(std::size_t index) {
  Task& task = tasks_[index];
  if (task.pause > now_) return;
  if (!calm() && chance(1)) {
    task.pause = now_ + any(200);
    return;
  }
  std::optional<Outcome> outcome;
  if (task.ended !=
      std::array<int, 2>{databases_[0].transactions_ended, databases_[1].transactions_ended})
    outcome = Outcome::failed;  // the connection is gone; what was committed is
  else
    outcome = run_task(task);
  if (!outcome) return;
  const Task ended = task;
  tasks_.erase(tasks_.begin() + static_cast<std::ptrdiff_t>(index));
  if (ended.beside) return;
  Coordinator& coordinator = coordinators_[static_cast<std::size_t>(ended.coordinator)];
  if (!coordinator.alive || coordinator.epoch != ended.epoch) return;
  coordinator.running = false;
  coordinator.outcome = outcome;
}

std::optional<Outcome> World::run_task(Task& task) {
  Database& from = databases_[static_cast<std::size_t>(task.from)];
  Database& to = databases_[static_cast<std::size_t>(task.to)];
  const auto barrier = [&](Rule rule) -> std::optional<Outcome> {
    if (!rules_.hold(rule) || from.barrier_open(task.plan)) return Outcome::done;
    return ++task.step > 300 ? std::optional(Outcome::failed) : std::nullopt;  // the budget
  };
  switch (task.act) {
    case Act::make_schema: return make_schema(task);
    case Act::arm: {
      if (task.step == 0) {
        // Once: later ones are noted by a verification that has ended.
        if (journal_.timelines[0] == 0)
          journal_.timelines = {databases_[0].now.timeline, databases_[1].now.timeline};
        task.step = 1;
        return std::nullopt;
      }
      PlanRow* row = from.plan(task.plan);
      if (row != nullptr && row->state == State::capturing) return Outcome::done;
      // A failover has taken a back-out away.
      if (row != nullptr && row->state == State::fenced)
        return set_state(task.from, task.plan, State::fenced, State::capturing);
      return set_state(task.from, task.plan, State::preparing, State::capturing);
    }
    case Act::wait_armed: return barrier(Rule::barrier_when_armed);
    case Act::copy: return copy(task);
    case Act::pump: return pump(task, false);
    case Act::pump_last:
      return rules_.hold(Rule::last_cycle_behind_barrier) ? pump(task, false)
                                                          : std::optional(Outcome::done);
    case Act::verify: return verify(task);
    case Act::bind: return Outcome::done;
    case Act::clean_target: return Outcome::done;  // abort_plan has done it
    case Act::fence: {
      PlanRow* row = from.plan(task.plan);
      if (row == nullptr || (row->state != State::capturing && row->state != State::fenced))
        return Outcome::failed;
      row->state = State::fenced;
      row->attempt = task.attempt;
      from.committed();
      return Outcome::done;
    }
    case Act::wait_fenced: return barrier(Rule::barrier_when_fenced);
    case Act::advance_sequence:
      if (rules_.hold(Rule::sequence_advanced)) to.last_id = std::max(to.last_id, from.last_id) + 1;
      return Outcome::done;
    case Act::wait_flushed:
      if (!rules_.hold(Rule::flush_before_commit) || (from.flushed() && to.flushed()))
        return Outcome::done;
      return std::nullopt;
    case Act::compare_servers:
      if (!rules_.hold(Rule::servers_compared)) return Outcome::done;
      return journal_.timelines ==
                     std::array<int, 2>{databases_[0].now.timeline, databases_[1].now.timeline}
                 ? Outcome::done
                 : Outcome::changed;
    case Act::commit: return commit_plan(task);
    case Act::wait_commit_flushed:
      if (!rules_.hold(Rule::flush_after_commit) || from.flushed()) {
        PlanRow* row = from.plan(task.plan);
        if (row == nullptr || row->state != State::committed) return Outcome::failed;
        decided_plan_ = std::max(decided_plan_, task.plan);
        row->decided = true;  // a failover may lose the mark; whoever has acted on it was right
        from.committed();
        return Outcome::done;
      }
      return std::nullopt;
    case Act::commit_target: {
      const PlanRow* row = to.plan(task.plan);
      if (row != nullptr && (row->state == State::committed || row->state == State::done))
        return Outcome::done;
      return set_state(task.to, task.plan, State::guarded, State::committed);
    }
    case Act::soak:
      if (to.plan(task.plan) == nullptr) return Outcome::failed;
      if (to.plan(task.plan)->state == State::done) return Outcome::done;
      if (to.plan(task.plan)->state == State::guarded)  // a failover has taken its commit away
        return set_state(task.to, task.plan, State::guarded, State::committed) == Outcome::done
                   ? Outcome::more
                   : Outcome::failed;
      if (to.plan(task.plan)->state != State::committed) return Outcome::failed;
      if (const auto outcome = pump(task, true)) {
        if (*outcome != Outcome::done) return outcome;
        return ++journal_.soaked < 7 ? Outcome::more : Outcome::done;
      }
      return std::nullopt;
    case Act::finalize: {
      PlanRow* row = to.plan(task.plan);
      if (row == nullptr) return Outcome::failed;
      if (row->state == State::committed) row->state = State::done;
      to.committed();
      return Outcome::done;
    }
    case Act::begin_cleanup: {
      const PlanRow* row = from.plan(task.plan);
      if (row == nullptr) return Outcome::failed;
      if (row->state == State::cleaning || row->state == State::done) return Outcome::done;
      return set_state(task.from, task.plan, State::committed, State::cleaning);
    }
    case Act::clean: return clean(task);
    case Act::end_cleanup: {
      const PlanRow* row = from.plan(task.plan);
      if (row != nullptr && row->state == State::done) return Outcome::done;
      return set_state(task.from, task.plan, State::cleaning, State::done);
    }
    case Act::back_out: return back_out(task);
    case Act::abort_plan: {
      PlanRow* row = from.plan(task.plan);
      if (row != nullptr && row->state != State::preparing && row->state != State::capturing &&
          row->state != State::aborted)
        return Outcome::failed;
      if (task.step == 1 && from.flushed() && to.flushed()) return Outcome::done;
      if (task.step == 1) return std::nullopt;
      task.step = 1;
      for (Database* database : {&from, &to})
        if (PlanRow* each = database->plan(task.plan)) {
          each->state = State::aborted;
          database->committed();
        }
      return std::nullopt;
    }
    default: return Outcome::failed;
  }
}

}  // namespace sim
