#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "fleet/protocol/member.hpp"
#include "tests/sim/fleet_driver.hpp"
#include "tests/sim/router.hpp"

namespace sim {

/// A router's part in a fleet, as in production: `fleet::Member`, with a disk, a connection and a
/// clock of its own. It keeps the router's ring.
class FleetControl {
 public:
  FleetControl(FleetService& service, Draws& draws, const FleetRules& rules, int index,
               Router& router);

  FleetLink link;
  long stopped_until = 0;  ///< its process does nothing until then

  void start();
  /// At once: what it did to its disk is done, or is not.
  void end();
  void step();
  void advance();

  /// Requests for these vnodes are sent to shards now.
  [[nodiscard]] bool serves(Vnodes vnodes) const;
  [[nodiscard]] bool writes(Vnodes vnodes) const;
  /// No change has made it hold writes to these, or serve them by a lease.
  [[nodiscard]] bool is_at_ease(Vnodes vnodes) const;
  /// By a ring that a plan has brought, and nobody has told it yet that the target takes writes.
  [[nodiscard]] bool activated(Vnodes vnodes) const;

  /// It asks a database about a plan's row.
  [[nodiscard]] std::optional<fleet::RowQuestion> question();
  void row_said(fleet::RowSays says);

  /// It serves, and nothing is left of any change.
  [[nodiscard]] bool rests() const;

 private:
  [[nodiscard]] std::chrono::nanoseconds clock() const;
  [[nodiscard]] std::chrono::nanoseconds lease() const { return member_->record()->lease; }
  [[nodiscard]] Vnodes moving() const;
  [[nodiscard]] bool leased() const;
  [[nodiscard]] fleet::Door door() const;
  void keep_link();
  void deliver();
  void noticed(const fleet::Seen& seen);
  void finish_work();
  void put(const fleet::Work& work);
  void show();
  void drain();
  void close_left_change();
  [[nodiscard]] bool close_is_due();
  [[nodiscard]] bool hold(FleetRule rule) const { return rules_.hold(rule); }

  FleetService& service_;
  Draws& draws_;
  const FleetRules& rules_;
  int index_;
  Router& router_;
  fleet::OnDisk disk_;
  std::unique_ptr<fleet::Member> member_;
  std::string incarnation_;
  int process_ = 0;
  double clock_rate_ = 1;
  long clock_offset_ = 0;
  std::optional<MemberFlight> flight_;
  std::optional<std::pair<fleet::Work, long>> work_;  // until when it lasts
  FleetDriver closer_;
  long close_at_ = 0;
  std::optional<fleet::RowQuestion> asked_;
  std::pair<std::uint64_t, long> stands_;  // the state's step, and since when it was seen

  // Where rules are left out.
  std::chrono::nanoseconds leased_otherwise_until_{};  // by the state, or by a restart
  bool taken_back_ = false;                            // by a state that has not followed
};

}  // namespace sim
