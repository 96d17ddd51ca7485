#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <string_view>

namespace sim {

/// What the protocol asks for, each to be left out alone: the model must notice.
enum class Rule : std::uint8_t {
  state_read_again_under_lock,  ///< by the source's trigger
  barrier_when_fenced,
  older_writers_awaited,  ///< at arming: those that have no lock, since they saw no plan
  target_guard,
  log_and_rows_in_one_snapshot,
  exact_log_entries_deleted,  ///< not "all up to the largest"
  apply_checks_epoch,         ///< and the plan's state
  old_backends_ended,         ///< before a new coordinator acts
  missing_vnode_computed,     ///< by the trigger, where a row's is NULL
  deletes_before_inserts,     ///< in a cycle, so that unique values may change places
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
  prepare_names_ring,       ///< that the plan is bound to: a router on another refuses
  answer_names_plan,        ///< what a router read of a plan's row is not taken for another's
  journal_read_under_lock,  ///< a new coordinator goes on from where the last one is when it is
                            ///< ended
  ghosts_left_out,          ///< of writes and finds that name rows by a filter

  // Several plans, every end of a plan, and a ring that others change.
  ring_bound_late,              ///< right before each cutover, not when the plan is made
  vnodes_in_one_plan,           ///< at a time, and the databases see to it
  owner_checked_before_delete,  ///< and before a guard: no router gives the vnodes to that shard
  pending_outlives_lease,       ///< and restarts: no other plan and no edit replaces it
  check_before_withdraw,        ///< a prepare that is refused leaves what was prepared
  pending_names_row_digest,     ///< a router acts on the row of the ring that it holds
  edits_await_target,           ///< between a router's activation and the target's commit
  after_commit_by_vnode,        ///< a router on any ring is given the vnodes
  holder_names_coordinator,     ///< routers refuse commands of one that was followed
  ids_kept_alone,               ///< no other plan's copy begins beside one that keeps ids
  ids_kept_where_nothing_is_owned,  ///< rows or not: a vnode without rows gets some
  pump_filters_vnodes,              ///< takes entries of the plan's vnodes, and of no others
  pump_beside_copy_filters,         ///< takes entries of vnodes alone that have been copied
  abort_hands_entries_back,         ///< of a rollback, to the plan that goes on
  reads_drained,                    ///< before a guard, and before the cleanup
  older_finds_drained,              ///< before each cutover
  done_row_hides,                   ///< the target's: from finds by the ring before the plan
  lease_asked_when_sent,            ///< not only when a request is planned
  version_in_commit,                ///< of the tables: what was changed and changed back shows
  tables_locked_in_commit,
  source_alone_backs_out,  ///< and aborts, in a session without a transaction
  new_owner_alone_finalizes,
  target_taken_over_before_clean,
  vnode_by_key_at_target,  ///< where the stored one is missing or wrong
  journal_names_writer,
  // The journal in the databases, where a failover takes its end away.
  identities_noted_before_copy,  ///< that they stand for
  journal_at_both_sides,         ///< first where the plan is decided
  fuller_row_believed,           ///< of either side, before the journal
  lost_inheritance_verified,     ///< a rollback that has lost its identities compares all
  count,
};

inline constexpr std::size_t kRules = static_cast<std::size_t>(Rule::count);
inline constexpr Rule kFirstNewRule = Rule::ring_bound_late;

inline constexpr std::array<std::string_view, kRules> kRuleNames{"state_read_again_under_lock",
                                                                 "barrier_when_fenced",
                                                                 "older_writers_awaited",
                                                                 "target_guard",
                                                                 "log_and_rows_in_one_snapshot",
                                                                 "exact_log_entries_deleted",
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
                                                                 "ghosts_left_out",
                                                                 "ring_bound_late",
                                                                 "vnodes_in_one_plan",
                                                                 "owner_checked_before_delete",
                                                                 "pending_outlives_lease",
                                                                 "check_before_withdraw",
                                                                 "pending_names_row_digest",
                                                                 "edits_await_target",
                                                                 "after_commit_by_vnode",
                                                                 "holder_names_coordinator",
                                                                 "ids_kept_alone",
                                                                 "ids_kept_where_nothing_is_owned",
                                                                 "pump_filters_vnodes",
                                                                 "pump_beside_copy_filters",
                                                                 "abort_hands_entries_back",
                                                                 "reads_drained",
                                                                 "older_finds_drained",
                                                                 "done_row_hides",
                                                                 "lease_asked_when_sent",
                                                                 "version_in_commit",
                                                                 "tables_locked_in_commit",
                                                                 "source_alone_backs_out",
                                                                 "new_owner_alone_finalizes",
                                                                 "target_taken_over_before_clean",
                                                                 "vnode_by_key_at_target",
                                                                 "journal_names_writer",
                                                                 "identities_noted_before_copy",
                                                                 "journal_at_both_sides",
                                                                 "fuller_row_believed",
                                                                 "lost_inheritance_verified"};

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
  /// The protocol as it was for one plan at a time. Its pump did not run beside a copy, and
  /// its journal was a disk's: what those need is no mend of it.
  static Rules as_before() {
    Rules rules;
    rules.left_out_.set(static_cast<std::size_t>(Rule::older_writers_awaited));
    for (auto i = static_cast<std::size_t>(kFirstNewRule); i < kRules; ++i) rules.left_out_.set(i);
    for (const Rule later :
         {Rule::pump_beside_copy_filters, Rule::identities_noted_before_copy,
          Rule::journal_at_both_sides, Rule::fuller_row_believed, Rule::lost_inheritance_verified})
      rules.left_out_.reset(static_cast<std::size_t>(later));
    rules.repairs_silently_ = true;
    return rules;
  }
  [[nodiscard]] Rules with(Rule rule) const {
    Rules rules = *this;
    rules.left_out_.reset(static_cast<std::size_t>(rule));
    return rules;
  }
  /// Statements of a coordinator that was ended go on: what the others are there for.
  [[nodiscard]] bool backends_survive() const { return backends_survive_; }
  /// Verification brings what differs again, cause or not.
  [[nodiscard]] bool repairs_silently() const { return repairs_silently_; }
  /// The protocol as it is.
  [[nodiscard]] bool whole() const { return left_out_.none(); }
  [[nodiscard]] bool hold(Rule rule) const {
    return !left_out_.test(static_cast<std::size_t>(rule));
  }

 private:
  std::bitset<kRules> left_out_;
  bool backends_survive_ = false;
  bool repairs_silently_ = false;
};

}  // namespace sim
