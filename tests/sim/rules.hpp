#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <string_view>

namespace sim {

/// What the protocol asks for, each to be left out alone: the model must notice.
enum class Rule : std::uint8_t {
  state_read_again_under_lock,  ///< by the source's trigger
  lock_while_preparing,  ///< so that the barrier at arming waits for those that saw "preparing"
  barrier_when_armed,
  barrier_when_fenced,
  barrier_for_older_plans,  ///< of the same vnodes, whose locks writers may hold instead
  target_guard,
  log_and_rows_in_one_snapshot,
  exact_log_entries_deleted,  ///< not "all up to the largest"
  no_pump_beside_copy,
  apply_checks_epoch,      ///< and the plan's state
  old_backends_ended,      ///< before a new coordinator acts
  missing_vnode_computed,  ///< by the trigger, where a row's is NULL
  deletes_before_inserts,  ///< in a cycle, so that unique values may change places
  last_cycle_behind_barrier,
  row_decides_commit,          ///< a back-out is an update of a fenced row, not a look at it
  ownership_fence,             ///< the source refuses on, after the commit
  routers_left_before_target,  ///< the target's row is committed when no router serves from the
                               ///< source
  lease_from_request,          ///< not from its answer
  lease_by_boot_clock,         ///< not by the wall's
  restarted_router_reads_plan,
  sequence_advanced,
  ids_issued_anew,  ///< for rows that come to where other rows are: back, or into a populated shard
  applied_synchronously,
  flush_before_commit,      ///< standbys have the fence and the last apply
  flush_after_commit,       ///< and the commit
  routers_await_flush,      ///< a router by itself acts on a commit only when its row says decided
  servers_compared,         ///< before the commit: a failover may have taken away what was copied
  reverse_log_from_commit,  ///< begins with the target's commit, in the same row
  rollback_captures_at_once,  ///< its plan's row never says "preparing"
  rollback_keeps_identities,  ///< of the servers, as they were when all was compared last
  cleanup_checks_newest_plan,
  prepare_names_ring,       ///< that the plan begins from: a router on another refuses
  answer_names_plan,        ///< what a router read of a plan's row is not taken for another's
  journal_read_under_lock,  ///< a new coordinator goes on from where the last one is when it is
                            ///< ended
  ghosts_left_out,          ///< of writes that name rows by a filter
  count,
};

inline constexpr std::size_t kRules = static_cast<std::size_t>(Rule::count);

inline constexpr std::array<std::string_view, kRules> kRuleNames{"state_read_again_under_lock",
                                                                 "lock_while_preparing",
                                                                 "barrier_when_armed",
                                                                 "barrier_when_fenced",
                                                                 "barrier_for_older_plans",
                                                                 "target_guard",
                                                                 "log_and_rows_in_one_snapshot",
                                                                 "exact_log_entries_deleted",
                                                                 "no_pump_beside_copy",
                                                                 "apply_checks_epoch",
                                                                 "old_backends_ended",
                                                                 "missing_vnode_computed",
                                                                 "deletes_before_inserts",
                                                                 "last_cycle_behind_barrier",
                                                                 "row_decides_commit",
                                                                 "ownership_fence",
                                                                 "routers_left_before_target",
                                                                 "lease_from_request",
                                                                 "lease_by_boot_clock",
                                                                 "restarted_router_reads_plan",
                                                                 "sequence_advanced",
                                                                 "ids_issued_anew",
                                                                 "applied_synchronously",
                                                                 "flush_before_commit",
                                                                 "flush_after_commit",
                                                                 "routers_await_flush",
                                                                 "servers_compared",
                                                                 "reverse_log_from_commit",
                                                                 "rollback_captures_at_once",
                                                                 "rollback_keeps_identities",
                                                                 "cleanup_checks_newest_plan",
                                                                 "prepare_names_ring",
                                                                 "answer_names_plan",
                                                                 "journal_read_under_lock",
                                                                 "ghosts_left_out"};

class Rules {
 public:
  Rules() = default;
  /// Without that rule; and, where it would make up for it, without the end of old backends.
  static Rules all_but(Rule rule) {
    Rules rules;
    rules.left_out_.set(static_cast<std::size_t>(rule));
    rules.backends_survive_ = rule == Rule::apply_checks_epoch ||
                              rule == Rule::cleanup_checks_newest_plan ||
                              rule == Rule::row_decides_commit || rule == Rule::old_backends_ended;
    return rules;
  }
  /// Statements of a coordinator that was ended go on: what the others are there for.
  [[nodiscard]] bool backends_survive() const { return backends_survive_; }
  [[nodiscard]] bool hold(Rule rule) const {
    return !left_out_.test(static_cast<std::size_t>(rule));
  }

 private:
  std::bitset<kRules> left_out_;
  bool backends_survive_ = false;
};

}  // namespace sim
