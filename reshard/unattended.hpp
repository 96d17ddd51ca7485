#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace reshard {

/// A plan, as a supervisor sees it at one look.
struct PlanSeen {
  std::uint64_t number = 0;
  /// Somebody has begun it; it is not over, and neither paused nor stopped; no plan takes it back.
  bool to_be_carried_on = false;
  std::optional<bool>
      carried_on;  ///< by a coordinator, here or elsewhere; nullopt: nobody can tell
};

/// Which plans nobody carries on, and since when. No clock, no database: it goes by what it is
/// told. Lives on one thread.
class Unattended {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// `gone`: for so long a plan must have been without a coordinator, at each look. `refused`: how
  /// long one is left alone that could not be carried on here.
  Unattended(std::chrono::milliseconds gone, std::chrono::milliseconds refused)
      : gone_(gone), refused_(refused) {}

  /// Plans that are to be taken up now, in the order of their numbers. One that can't be looked at
  /// has to wait, and loses nothing.
  std::vector<std::uint64_t> due(const std::vector<PlanSeen>& seen, Time now);
  /// It could not be carried on here, for a reason that its journal does not have.
  void refused(std::uint64_t plan, Time now) { not_before_[plan] = now + refused_; }

 private:
  std::chrono::milliseconds gone_, refused_;
  std::map<std::uint64_t, Time> since_, not_before_;
};

}  // namespace reshard
