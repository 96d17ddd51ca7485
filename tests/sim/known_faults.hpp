#pragma once

#include <initializer_list>
#include <vector>

#include "tests/sim/world.hpp"

namespace sim {

/// A way in which the protocol for one plan at a time fails, and the rules that mend it.
struct KnownFault {
  std::string_view what;
  std::vector<Wrong> shows;
  std::vector<Rule> mended_by;
  bool (*where)(const World& world) = [](const World&) { return true; };
};

inline const std::vector<KnownFault>& known_faults() {
  static const std::vector<KnownFault> faults{
      {"a fence stays for as long as the target is away",
       {Wrong::refused},
       {Rule::source_alone_backs_out},
       [](const World& world) { return world.server_left(); }},
      {"rows at a shard that does not own them",
       {Wrong::misplaced},
       {Rule::pump_filters_vnodes, Rule::vnodes_in_one_plan, Rule::owner_checked_before_delete}},
      {"reads find objects absent that exist",
       {Wrong::absent},
       {Rule::reads_drained, Rule::older_finds_drained, Rule::edits_await_target,
        Rule::lease_asked_when_sent}},
      {"a plan that nobody can end while a server is gone",
       {Wrong::never_ends_without_server},
       {Rule::source_alone_backs_out, Rule::new_owner_alone_finalizes}},
      {"two ids, or two unique values, at a shard that two plans go to",
       {Wrong::two_ids, Wrong::two_uniques},
       {Rule::ids_kept_alone, Rule::ids_kept_where_nothing_is_owned}},
      {"a change of the ring closes the way there and back",
       {Wrong::closed},
       {Rule::ring_bound_late, Rule::pending_outlives_lease}},
      {"writes past a table's trigger are lost",
       {Wrong::lost, Wrong::went_back},
       {Rule::version_in_commit, Rule::tables_locked_in_commit},
       [](const World& world) { return world.tables_changed(); }},
      {"left-overs of an odd vnode bring deleted objects back",
       {Wrong::back_from_dead},
       {Rule::vnode_by_key_at_target},
       [](const World& world) { return world.scenario().left_overs; }},
  };
  return faults;
}

}  // namespace sim
