#pragma once

#include <chrono>
#include <cstdint>

namespace reshard {

/// Keeps to an amount a second, over its whole life.
class Throttle {
 public:
  /// 0: no limit.
  explicit Throttle(std::uint64_t per_second)
      : rate_(per_second), began_(std::chrono::steady_clock::now()) {}
  /// Waits where that was too fast.
  void took(std::uint64_t amount);
  [[nodiscard]] bool limited() const { return rate_ != 0; }

 private:
  std::uint64_t rate_, amount_ = 0;
  std::chrono::steady_clock::time_point began_;
};

}  // namespace reshard
