#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <limits>

namespace router {

/// How long a worker lets what is ready wait since it is busy itself, and what follows from that:
/// how many requests of one client it has under way at once. A turn of the loop is as long as what
/// all clients ask for in it, so a few that ask for very much would have the others wait for
/// milliseconds; with less from each a turn is short, and as much is done. Pure: time is passed in.
/// Lives on one worker.
class LoopLag {
 public:
  using Clock = std::chrono::steady_clock;

  /// A timer that was due at `due` is served `now`. `processor`: what the thread has used of it so
  /// far: time that others had is not ours. `sessions`: clients that are connected.
  void tick(Clock::time_point due, Clock::time_point now, std::chrono::nanoseconds processor,
            std::size_t sessions) {
    const auto wall = std::max<std::chrono::nanoseconds>(now - last_, std::chrono::nanoseconds(1));
    const double own = std::clamp(
        static_cast<double>((processor - processor_).count()) / static_cast<double>(wall.count()),
        0.0, 1.0);
    last_ = now;
    processor_ = processor;
    const double late = std::chrono::duration<double>(now - due).count() * own;
    lag_ += (late - lag_) / kTicks;
    const std::size_t least = std::max(kLeast, kAlways / std::max<std::size_t>(1, sessions));
    if (lag_ > kLong)
      most_ = std::max(least, std::min(most_, kBegins) * 3 / 4);
    else if (lag_ < kShort && most_ < kBegins)
      most_ += most_ / 8 + 1;
    else if (lag_ < kShort)
      most_ = kAny;
  }
  /// Usual, of the last few.
  [[nodiscard]] std::chrono::nanoseconds usual() const {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::chrono::duration<double>(lag_));
  }
  /// Requests of one client at once.
  [[nodiscard]] std::size_t most() const { return most_; }

 private:
  static constexpr double kTicks = 8;
  static constexpr double kLong = 0.003, kShort = 0.0015;  // seconds
  static constexpr std::size_t kAny = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t kBegins = 512, kLeast = 2;
  static constexpr std::size_t kAlways = 1024;  // of all clients together
  double lag_ = 0;
  std::size_t most_ = kAny;
  Clock::time_point last_{};
  std::chrono::nanoseconds processor_{};
};

}  // namespace router
