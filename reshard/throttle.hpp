#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

namespace reshard {

/// Keeps to an amount a second, over the time for which that rate has held. The rate may change at
/// any time, and a wait ends soon after somebody wants it to. Lives on one thread.
class Throttle {
 public:
  /// `per_second`: the rate, asked each time; 0: no limit. `stopped`: asked some fifty times a
  /// second while it waits; true: it waits no longer.
  Throttle(std::function<std::uint64_t()> per_second, std::function<bool()> stopped)
      : per_second_(std::move(per_second)), stopped_(std::move(stopped)) {}
  /// No limit.
  Throttle() : Throttle([] { return 0; }, [] { return false; }) {}

  /// So much was done: waits where that was too fast. False: it was stopped, and may have been too
  /// fast.
  bool took(std::uint64_t amount);
  /// Waits for so long. False: it was stopped.
  bool pause(std::chrono::steady_clock::duration time);
  [[nodiscard]] bool limited() const { return per_second_() != 0; }

 private:
  using Clock = std::chrono::steady_clock;

  std::function<std::uint64_t()> per_second_;
  std::function<bool()> stopped_;
  std::uint64_t rate_ = 0, amount_ = 0;
  Clock::time_point began_ = Clock::now();
};

}  // namespace reshard
