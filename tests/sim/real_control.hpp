#pragma once

#include <chrono>
#include <string>

#include "router/control/machine.hpp"
#include "tests/sim/router.hpp"

namespace sim {

/// A router's control as it is in production: `router::Machine`, in the model's time, with files
/// whose work ends at once. It keeps `router` as the rest of the model sees it.
class RealControl {
 public:
  static constexpr std::chrono::milliseconds kTick{50};

  /// A process that starts, with what the disk has: the ring in force, and what was prepared.
  RealControl(Router& router, long lease, long now);

  /// What a router would say to a prepare, before it looks at its own ring. True: `staged` or
  /// `failed` is next.
  [[nodiscard]] bool begins_prepare(const std::string& holder, long now);
  void staged(const Pending& next, long now);
  void failed(long now);

  [[nodiscard]] bool activate(const std::string& holder, std::uint32_t digest, long now);
  void abandon(const std::string& holder, long now);
  [[nodiscard]] bool block(Vnodes vnodes, const std::string& holder, long now);
  void unblock(Vnodes vnodes);
  /// An edit, a reload or a rollback by hand.
  [[nodiscard]] bool edit(const Ring& next, long now);

  void tick(long now);
  /// A question about the plan's row is out, since when.
  [[nodiscard]] bool asks_row() const { return row_.has_value(); }
  void row_said(const PlanRow* row, bool answered, long now);
  [[nodiscard]] bool asks_target() const { return target_.has_value(); }
  void target_said(bool open, long now);

 private:
  using Change = router::Change;
  [[nodiscard]] router::PendingRing record(const Pending& pending) const;
  [[nodiscard]] router::RingFacts facts() const;
  [[nodiscard]] bool begins(Change change, long now);
  void settle(long now);
  void carry_out(const Change& change, long now);
  void show();

  Router& router_;
  long lease_;
  router::Machine machine_;
  Pending prepared_;                     // what the machine's pending ring is
  Pending activated_;                    // what came into force last by a plan
  bool called_ = false, begun_ = false;  // somebody waits for the change that is submitted
  struct Question {
    router::PendingRing about;
    long asked = 0;
  };
  std::optional<Question> row_, target_;
};

/// As coordinators name themselves to routers.
std::string holder_of(PlanId plan, int epoch);

}  // namespace sim
