#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace sim {

/// What a cutover over a fleet asks for (docs/fleet.md). Members and coordinators are the product's
/// and have no switches: a rule is left out between a step and the simulated world.
enum class FleetRule : std::uint8_t {
  row_renews_lease,    ///< of a cutover; not the state
  answer_from_asking,  ///< a row's answer counts from when it was asked
  row_must_be_decided,
  other_ring_decides_nothing,
  missing_row_decides_nothing,
  forget_awaits_entries,  ///< all members have the ring before a plan's rows go
  row_is_not_taken_back,  ///< by a state that has not followed yet
  writes_wait_when_activated,
  leases_awaited,      ///< or all members have activated
  leases_from_commit,  ///< of the row; not from when all had blocked
  blocked_before_commit,
  drained_before_agreeing,
  flushed_before_state,  ///< the commit, also by a coordinator that takes over
  overtaken_writes_nothing,
  coordinator_alone_closes,  ///< beyond prepare
  no_lease_over_restart,
  record_on_disk,
  target_decided_before_opening,
  target_decided_before_closing,
  change_names_ring,      ///< that the plan is bound to
  end_flushed_at_source,  ///< before the plan is over
  count,
};
inline constexpr std::size_t kFleetRules = static_cast<std::size_t>(FleetRule::count);
inline constexpr std::array<std::string_view, kFleetRules> kFleetRuleNames{
    "row_renews_lease",
    "answer_from_asking",
    "row_must_be_decided",
    "other_ring_decides_nothing",
    "missing_row_decides_nothing",
    "forget_awaits_entries",
    "row_is_not_taken_back",
    "writes_wait_when_activated",
    "leases_awaited",
    "leases_from_commit",
    "blocked_before_commit",
    "drained_before_agreeing",
    "flushed_before_state",
    "overtaken_writes_nothing",
    "coordinator_alone_closes",
    "no_lease_over_restart",
    "record_on_disk",
    "target_decided_before_opening",
    "target_decided_before_closing",
    "change_names_ring",
    "end_flushed_at_source"};

class FleetRules {
 public:
  [[nodiscard]] FleetRules without(FleetRule rule) const {
    FleetRules left = *this;
    left.left_out_.set(static_cast<std::size_t>(rule));
    return left;
  }
  /// Notices only what becomes of rows, not that a write was sent which should have been held.
  [[nodiscard]] FleetRules of_rows_alone() const {
    FleetRules rules = *this;
    rules.of_rows_alone_ = true;
    return rules;
  }
  [[nodiscard]] bool sees_early_writes() const { return !of_rows_alone_; }
  [[nodiscard]] bool hold(FleetRule rule) const {
    return !left_out_.test(static_cast<std::size_t>(rule));
  }

 private:
  std::bitset<kFleetRules> left_out_;
  bool of_rows_alone_ = false;
};

}  // namespace sim
