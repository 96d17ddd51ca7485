#include "reshard/step.hpp"

#include <algorithm>
#include <array>

namespace reshard {
namespace {

// clang-format off
constexpr std::array<std::string_view, 33> kNames{
    "take_over", "make_schema", "arm", "wait_armed", "copy", "pump", "verify", "bind", "prepare",
    "block", "fence", "wait_fenced", "pump_last", "advance_sequence", "wait_flushed",
    "compare_servers", "commit", "wait_commit_flushed", "activate", "commit_target", "unblock",
    "soak", "finalize", "begin_cleanup", "clean", "end_cleanup", "back_out", "unblock_source",
    "drop_pending", "abort_plan", "clean_target", "finished", "aborted"};
// clang-format on

/// The act after this one where all goes well.
Act next(const Progress& progress) {
  switch (progress.act) {
    case Act::take_over: return progress.after_take_over;
    case Act::wait_armed: return progress.copies ? Act::copy : Act::pump;
    case Act::end_cleanup: return Act::finished;
    case Act::unblock_source: return Act::drop_pending;
    // From the start, all of which may be done twice: a failover may have been why the attempt
    // failed.
    case Act::drop_pending: return progress.give_up ? Act::abort_plan : Act::make_schema;
    case Act::verify:
      return progress.verify_again ? Act::pump : Act::bind;  // repairs are log entries
    case Act::clean_target: return Act::aborted;
    case Act::finished:
    case Act::aborted: return progress.act;
    default: return static_cast<Act>(static_cast<std::uint8_t>(progress.act) + 1);
  }
}

/// From the first router that may have heard of the cutover to the commit point.
bool before_commit(Act act) { return act >= Act::prepare && act <= Act::commit; }

/// What a coordinator that takes over does first, and one whose act failed.
Act begin_again(Act act) {
  if (before_commit(act)) return Act::back_out;  // also at the commit itself: the row decides
  switch (act) {
    // Whoever goes on with the copy waits at the barrier once more; and a failover may have taken
    // rows of the plan away.
    case Act::arm:
    case Act::wait_armed:
    case Act::copy:
    case Act::pump:
    case Act::verify:
    case Act::bind: return Act::make_schema;
    // The commit may be gone with a server whose standby had not got it: nobody has acted on it
    // then.
    case Act::wait_commit_flushed: return Act::back_out;
    // A failover of the target may have taken its commit away.
    case Act::activate:
    case Act::commit_target:
    case Act::unblock: return Act::wait_commit_flushed;
    // A back-out may be gone likewise.
    case Act::abort_plan: return Act::back_out;
    case Act::clean:
    case Act::end_cleanup: return Act::begin_cleanup;
    default: return act;
  }
}

}  // namespace

std::string_view to_string(Act act) { return kNames.at(static_cast<std::size_t>(act)); }

std::optional<Act> act_named(std::string_view name) {
  const auto* const found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<Act>(found - kNames.begin());
}

Progress after(Progress progress, Outcome outcome) {
  switch (outcome) {
    case Outcome::more: return progress;
    case Outcome::done: break;
    case Outcome::unbound: progress.act = Act::bind; return progress;
    case Outcome::committed: progress.act = Act::wait_commit_flushed; return progress;
    case Outcome::changed:  // of compare_servers: nothing that was copied is trusted
      progress.verify_again = true;
      progress.act = Act::back_out;
      return progress;
    case Outcome::failed:
      // Clients are waiting, and perhaps only the other server is gone: at once, in the epoch that
      // is there. Where that fails, too, a failover may have taken it away.
      if (!before_commit(progress.act)) return resumed(progress);
      progress.act = Act::back_out;
      return progress;
  }
  if (progress.act == Act::back_out) ++progress.attempt;
  const Act following = next(progress);
  if (progress.act == Act::verify) progress.verify_again = false;
  progress.act = following;
  return progress;
}

Progress resumed(Progress progress) {
  if (progress.act == Act::finished || progress.act == Act::aborted) return progress;
  if (progress.act != Act::take_over) progress.after_take_over = begin_again(progress.act);
  progress.act = Act::take_over;
  return progress;
}

Progress rollback() {
  Progress progress;
  progress.copies = false;
  return progress;
}

}  // namespace reshard
