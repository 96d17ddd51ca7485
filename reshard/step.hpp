#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

/// The order of a plan's acts, and what follows a success, a failure and a crash. Pure: no clock,
/// database or router; `tests/sim` runs it against simulated ones, the executor against real ones.
namespace reshard {

/// One act of a coordinator. Each may be done twice: whoever is told that one was done, or not, may
/// be wrong. What each must ensure is in the resharding notes (docs/resharding.md) under its name.
enum class Act : std::uint8_t {
  take_over,    ///< locks of both databases are ours, older backends are gone, the epoch is raised
  make_schema,  ///< membership, triggers, rows of the plan: source preparing, target guarded
  arm,          ///< source: preparing (or fenced, where a back-out was lost) becomes capturing
  wait_armed,   ///< barrier: no transaction is left that did not see it
  copy,         ///< rows, a chunk each time
  pump,         ///< one cycle: what the log names becomes at the target what it is at the source
  verify,       ///< both sides compared; what differs gets a log entry
  /// The ring is bound: all routers are on one ring B, in which the vnodes are the source's; B and
  /// the ring N that gives them to the target are written into both rows of the plan.
  bind,
  prepare,           ///< routers hold the next ring as pending, and serve under leases from now on
  block,             ///< routers hold new writes; those before are answered
  fence,             ///< source: capturing becomes fenced
  wait_fenced,       ///< barrier
  pump_last,         ///< one whole cycle that begins behind the barrier
  advance_sequence,  ///< the target's ids begin behind the source's
  wait_flushed,      ///< connected standbys of both sides have all of that
  compare_servers,   ///< still the servers, tables and triggers that were copied?
  commit,            ///< source: fenced becomes committed, of this attempt. The commit point
  wait_commit_flushed,  ///< connected standbys have it, too; then the row says that it is decided,
                        ///< and they have that
  activate,       ///< routers take the pending ring, still blocked; or their leases have run out
  commit_target,  ///< target: guarded becomes committed: its guard opens, its log begins
  unblock,        ///< held writes go to the target
  soak,           ///< a cycle of the reverse stream; the target is committed first, if a failover
                  ///< took that away. Needs no router
  finalize,       ///< the reverse stream ends: decided by the target alone
  begin_cleanup,  ///< no read by an older ring is under way; source: committed becomes cleaning
  clean,          ///< a batch of moved rows is deleted at the source
  end_cleanup,
  /// Source: fenced becomes capturing again, and the ring is unbound, unless it is committed: the
  /// row decides. By the source alone.
  back_out,
  unblock_source,  ///< held writes go to the source
  drop_pending,    ///< routers forget the pending ring and serve without leases
  abort_plan,      ///< source: aborted, unless committed; its standbys have it. By the source alone
  clean_target,    ///< what was copied goes, then target: aborted
  finished,
  aborted,
};

std::string_view to_string(Act act);
std::optional<Act> act_named(std::string_view name);

enum class Outcome : std::uint8_t {
  done,
  more,       ///< done, and to be done again
  failed,     ///< not done, or not known to be
  changed,    ///< compare_servers, commit: something is not what it was
  unbound,    ///< prepare: a router is not on the ring that was bound
  committed,  ///< back_out, abort_plan: too late
};

/// Where a plan is. Written to the journal before its act is begun.
struct Progress {
  Act act = Act::take_over;
  Act after_take_over = Act::make_schema;
  std::uint32_t attempt = 1;  ///< of the cutover
  bool copies = true;         ///< false: a rollback, whose target has the rows already
  bool give_up = false;       ///< after a failed cutover the plan is aborted, not tried again
  bool verify_again =
      false;  ///< a server is not the one that was copied: all is compared before the next attempt
  bool operator==(const Progress&) const = default;
};

/// What to do after `progress.act` had that outcome.
Progress after(Progress progress, Outcome outcome);

/// What to do after a crash during (or just before, or just after) `progress.act`, whose outcome
/// nobody knows: everything begins with taking over.
Progress resumed(Progress progress);

/// The plan that takes a finished cutover back, in the other direction.
Progress rollback();

}  // namespace reshard
