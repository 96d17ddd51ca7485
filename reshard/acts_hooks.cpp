// Commands of the site's own, and the site's lock, which one of them takes and another gives back.
#include <system_error>

#include "reshard/executor.hpp"
#include "reshard/run_command.hpp"
#include "reshard/site_lock.hpp"

namespace reshard {
namespace {

/// It ended by itself, and says that it has not done it.
struct HookRefused : ActFailed {
  using ActFailed::ActFailed;
};

}  // namespace

/// Throws ActFailed where it does not end well. `holders`: other plans that hold the site's lock.
void Executor::run_hook(const std::string& phase, std::uint64_t holders) {
  const std::string& command = plan_.hooks.at(phase);
  watcher_.event("hook " + phase + ": " + command);
  int code = 0;
  try {
    code = run_command(command, to_json_text(plan_),
                       {std::chrono::seconds(plan_.options.hook_seconds),
                        ended_by_person_,
                        {"MORAY_RESHARD_PHASE=" + phase, "MORAY_RESHARD_PLAN=" + plan_.name(),
                         "MORAY_RESHARD_LOCK_HOLDERS=" + std::to_string(holders)}});
  } catch (const CommandEnded& ended) {
    throw ActFailed("hook " + phase + " " + ended.what());
  } catch (const std::system_error& error) {
    throw ActFailed("hook " + phase + " can't be run: " + error.what());
  }
  if (code != 0) throw HookRefused("hook " + phase + " ended with " + std::to_string(code));
}

void Executor::hook(const std::string& phase) {
  if (!plan_.hooks.contains(phase) || state_.hooks_done[phase]) return;
  run_hook(phase, other_lock_holders(journal_.plans(), plan_).count);
  state_.hooks_done[phase] = true;
  record("hook " + phase);
  hook_times_.reset();
}

/// Recorded before its hook begins, so that of two plans that take and give back at once each knows
/// whether the other has it. Returns how many others have.
std::uint64_t Executor::lock_turn(const std::string& state) {
  const auto turn = journal_.plans().lock_turn();
  const LockHolders others = other_lock_holders(journal_.plans(), plan_);
  if (state == kLockTaken && others.giving_back)
    throw Waiting("plan " + std::to_string(*others.giving_back) + " gives the site's lock back");
  state_.lock = state;
  if (state_.lock_since.empty()) state_.lock_since = time_now();
  const std::string event = "the site's lock is " + state;
  if (state == kLockTaken)
    record(event);
  else
    recorded(event);
  return others.count;
}

/// Once for a plan and the one that takes it back. A hook that says no has taken nothing: what is
/// there is somebody else's, which no end of this plan may give away. One that was cut off may
/// have.
void Executor::take_lock() {
  if (plan_.dump_lock) return take_dump_lock();
  if (!plan_.hooks.contains("pre_lock") || state_.hooks_done["pre_lock"]) return;
  try {
    run_hook("pre_lock", lock_turn(kLockTaken));
  } catch (const HookRefused&) {
    state_.lock.clear();
    state_.lock_since.clear();
    recorded("the site's lock is not taken");
    throw;
  }
  state_.lock = kLockHeld;
  state_.hooks_done["pre_lock"] = true;
  record("hook pre_lock");
  hook_times_.reset();
}

/// When a plan is over, by one hook for each end. A rollback that is aborted leaves the lock to the
/// plan that it would have taken back. What fails is told, and tried again when a person goes on
/// with the plan; its end waits for nothing. False: it is still held.
bool Executor::give_lock_back(const std::string& phase) {
  lock_given_back_ = true;
  const bool takes = plan_.hooks.contains("pre_lock");
  if (phase == kAbortHook && plan_.reverts != 0) {
    state_.lock.clear();
    state_.lock_since.clear();
    return true;
  }
  if (plan_.dump_lock) return give_dump_lock_back();
  if (!plan_.hooks.contains(phase) || state_.hooks_done[phase] || (takes && state_.lock.empty()))
    return state_.lock.empty();
  try {
    run_hook(phase, takes ? lock_turn(kLockGivenBack) : 0);
  } catch (const ActFailed& error) {
    if (takes) state_.lock = kLockHeld;
    watcher_.alarm(error.what() +
                   (takes ? "; the site's lock is held since " + state_.lock_since : "") +
                   "; `reshard retry " + plan_.name() + "` tries that again");
    recorded(std::string("failed: ") + error.what());
    return false;
  }
  state_.lock.clear();
  state_.lock_since.clear();
  state_.hooks_done[phase] = true;
  recorded("hook " + phase);
  hook_times_.reset();
  return true;
}

/// The plan is over, so that nobody is its coordinator.
bool Executor::give_lock_back_again() {
  ours_ = true;
  if (recorded("gives the site's lock back", true))
    give_lock_back(state_.progress.act == Act::aborted ? kAbortHook : kEndHook);
  shown_ = {};
  show();
  return state_.lock.empty();
}

}  // namespace reshard
