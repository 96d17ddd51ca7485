// How a process becomes a plan's coordinator, one side at a time.
#include <algorithm>

#include "reshard/executor.hpp"
#include "reshard/standing.hpp"

namespace reshard {
namespace {

struct Needs {
  bool source = false, target = false;
};

/// The sides that an act has to do with. Nothing waits for a server that its act does not need: the
/// source alone ends a plan before its commit, the target alone the soak.
Needs needs(Act act) {
  switch (act) {
    case Act::make_schema:
    case Act::copy:
    case Act::pump:
    case Act::verify:
    case Act::bind:
    case Act::prepare:
    case Act::block:
    case Act::fence:
    case Act::wait_fenced:
    case Act::pump_last:
    case Act::advance_sequence:
    case Act::wait_flushed:
    case Act::compare_servers:
    case Act::commit: return {true, true};
    case Act::arm:
    case Act::wait_armed:
    case Act::wait_commit_flushed:
    case Act::unblock:
    case Act::begin_cleanup:
    case Act::clean:
    case Act::end_cleanup:
    case Act::back_out:
    case Act::abort_plan: return {true, false};
    case Act::commit_target:
    case Act::soak:
    case Act::finalize:
    case Act::clean_target: return {false, true};
    case Act::take_over:
    case Act::activate:
    case Act::unblock_source:
    case Act::drop_pending:
    case Act::finished:
    case Act::aborted: return {false, false};
  }
  return {};
}

}  // namespace

Tenure Executor::tenure() {
  const auto as_taken = [](Database& side) {
    return side.taken() ? TakenSide{&side.owner(), side.epoch()} : TakenSide{};
  };
  const Progress& at = state_.progress;
  return {as_taken(source_), as_taken(target_),
          decided_by(at.act == Act::take_over ? at.after_take_over : at.act)};
}

void Executor::take_side(Database& side) {
  side.take(by_force_);
  try {
    journal_.taken(side.role(), {&side.owner(), side.epoch()});
  } catch (...) {
    side.disconnect();
    throw;
  }
}

/// What the plan is at, by the journal; by `memory` where the journal can't be read, or lacks what
/// this coordinator could not record. That is for the caller to see: true.
bool Executor::know_again(const std::optional<State>& memory) {
  bool by_memory = memory && unrecorded_;
  if (!by_memory) try {
      state_ = journal_.read();
    } catch (const std::exception&) {
      if (!memory) throw;
      by_memory = true;
    }
  if (by_memory) state_ = *memory;
  state_.progress = resumed(state_.progress);
  return by_memory;
}

/// The lock of the side that decides, then everything anew: what was read before may be another
/// coordinator's past. While the lock was waited for the plan may have come to where the other side
/// decides: then that side's lock, too. What this coordinator knows, and the journal does not,
/// counts only if no other coordinator has taken that side since.
Outcome Executor::take_over() {
  ours_ = false;
  target_open_ = false;
  definitions_.reset();  // another coordinator may have written them anew
  const bool give_up = state_.progress.give_up;
  std::optional<State> memory = was_ours_ ? std::optional(state_) : std::nullopt;
  source_.disconnect();
  target_.disconnect();
  journal_.let_go();
  for (;;) {
    const bool by_memory = know_again(memory);
    Database& deciding =
        decided_by(state_.progress.after_take_over) == Role::source ? source_ : target_;
    if (!deciding.taken()) {
      take_side(deciding);
      if (!by_memory) continue;
      if (!deciding.taken_by_others()) break;
      memory.reset();
      unrecorded_ = false;
      deciding.disconnect();
      continue;
    }
    break;
  }
  state_.progress.give_up = state_.progress.give_up || give_up;
  state_.paused = false;
  state_.stopped.clear();
  if (!was_ours_ && others_pause_ && journal_.asked_at("pause") == others_pause_) drop_ask("pause");
  ours_ = was_ours_ = true;
  if (state_.progress.act == Act::take_over) state_.progress.act = state_.progress.after_take_over;
  read_tables();
  committed_ = Clock::now();  // no lease that was given before is counted from later
  const Database& taken = source_.taken() ? source_ : target_;
  // By the epoch, too: a coordinator before this one may not have been able to record itself.
  state_.coordinators = std::max(state_.coordinators + 1, taken.epoch());
  routers_.set_coordinator(state_.coordinators);
  record(std::string("taken over at the ") + taken.role_name() + ", epoch " +
             std::to_string(taken.epoch()),
         true);
  return Outcome::done;
}

/// What the next act needs, and is not this coordinator's yet. Throws Waiting where it is away.
void Executor::take_for(Act act) {
  const Needs needed = needs(act);
  for (Database* each : {&source_, &target_}) {
    if (each->taken() || !(each == &source_ ? needed.source : needed.target)) continue;
    take_side(*each);
    if (each == &target_)
      if (const auto row = target_.plan_row()) {
        ids_kept_ = row->ids_kept;
        forward_.issue_ids_anew(!ids_kept_);
      }
    read_tables();
    if (each == &source_ && act > Act::take_over && act < Act::prepare) keep_source_open();
  }
}

/// Before the cutover the source serves its vnodes, whatever else is waited for. A failover may
/// have brought a fence back that an earlier attempt had taken away.
void Executor::keep_source_open() {
  if (!source_.taken()) return;
  try {
    const auto row = source_.plan_row();
    if (!row || row->state != "fenced") return;
    if (row->epoch == source_.epoch())
      back_out();
    else
      source_.disconnect();  // the epoch went with the failover: it is taken anew
  } catch (const SessionError&) {
    source_.disconnect();
  }
}

/// By the rows of the sides that are taken: whoever has taken over has raised the epoch of one.
void Executor::confirm() {
  for (Database* each : {&source_, &target_}) {
    if (!each->taken()) continue;
    const auto row = each->plan_row();
    require_state(row && row->epoch == each->epoch(), *each, "this coordinator's");
  }
}

}  // namespace reshard
