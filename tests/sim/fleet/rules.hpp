#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <string_view>

namespace fleet_sim {

/// What the protocol asks for, each to be left out alone: the model must notice. The product's own
/// steps run in the model, and have no switches: a rule is left out between a step and the
/// simulated world, which does something else than what was asked, or says something else than what
/// is.
enum class Rule : std::uint8_t {
  roster_counts,      ///< who must agree; not who has a session
  join_checked,       ///< a join fails while a change is open
  read_after_open,    ///< the roster, by a coordinator
  leave_last,         ///< the roster's entry goes when nothing is served any more
  file_before_entry,  ///< membership leaves the disk before the entry leaves the roster
  remove_only_dead,
  start_needs_membership,
  entry_checked,  ///< with each session, and each look
  state_by_version,
  unknown_looked_up,       ///< a lost answer is not taken for success
  repeats_only_unchanged,  ///< with the version that it was decided by
  commit_is_kept,          ///< by those who close a change
  one_state_node,
  answer_names_change,
  answer_names_stage,
  drained_before_agreeing,
  record_on_disk,
  record_until_closed,
  lease_refuses_reads,
  renewed_by_writing,
  lease_before_answer,
  leases_awaited,
  activated_before_closing,
  caught_up_first,
  new_sessions_write,   ///< and a lower `seq` is ignored: one alone makes up for the other
  older_disks_noticed,  ///< the answer names the incarnation, or who finds no record is in doubt
  writes_wait_when_activated,
  no_local_unblock,
  crashed_writes_settle,
  blocks_on_disk,
  blocks_with_state,  ///< in one write, when a block is done
  blocks_read_after,  ///< the state, in a look
};
inline constexpr std::size_t kRules = static_cast<std::size_t>(Rule::blocks_read_after) + 1;
inline constexpr std::array<std::string_view, kRules> kRuleNames = {"roster_counts",
                                                                    "join_checked",
                                                                    "read_after_open",
                                                                    "leave_last",
                                                                    "file_before_entry",
                                                                    "remove_only_dead",
                                                                    "start_needs_membership",
                                                                    "entry_checked",
                                                                    "state_by_version",
                                                                    "unknown_looked_up",
                                                                    "repeats_only_unchanged",
                                                                    "commit_is_kept",
                                                                    "one_state_node",
                                                                    "answer_names_change",
                                                                    "answer_names_stage",
                                                                    "drained_before_agreeing",
                                                                    "record_on_disk",
                                                                    "record_until_closed",
                                                                    "lease_refuses_reads",
                                                                    "renewed_by_writing",
                                                                    "lease_before_answer",
                                                                    "leases_awaited",
                                                                    "activated_before_closing",
                                                                    "caught_up_first",
                                                                    "new_sessions_write",
                                                                    "older_disks_noticed",
                                                                    "writes_wait_when_activated",
                                                                    "no_local_unblock",
                                                                    "crashed_writes_settle",
                                                                    "blocks_on_disk",
                                                                    "blocks_with_state",
                                                                    "blocks_read_after"};

class Rules {
 public:
  static Rules all_but(Rule rule) {
    Rules rules;
    rules.left_out_.set(static_cast<std::size_t>(rule));
    return rules;
  }
  [[nodiscard]] bool hold(Rule rule) const {
    return !left_out_.test(static_cast<std::size_t>(rule));
  }

 private:
  std::bitset<kRules> left_out_;
};

}  // namespace fleet_sim
