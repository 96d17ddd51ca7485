#pragma once

#include <algorithm>
#include <cstddef>

namespace budget {

/// Decides when memory that is free again goes back to the system: an allocator keeps what a burst
/// has used, for ever. Pure. One thread.
class Trim {
 public:
  /// Called once a second or so with what is held for clients, and what the process has for itself
  /// (0: not known). True: it is worth the time now.
  [[nodiscard]] bool look(std::size_t held, std::size_t own) {
    left_ = left_ == 0 ? own : std::min(left_, own);
    const bool grew = own >= left_ + kWorth;
    const bool burst_over = is_burst_over(held, grew), unseen = has_grown_unseen(own, grew);
    if (!burst_over && !unseen) return false;
    if (!burst_over) pause_ = std::min(2 * pause_, kPauseMost);
    most_ = held;
    left_ = 0;
    looks_ = 0;
    return true;
  }

 private:
  static constexpr std::size_t kWorth = 8 << 20, kSome = 1 << 20;
  static constexpr unsigned kPause = 5, kPauseMost = 320;

  /// Much less is held than before, and has been since the last call.
  bool is_burst_over(std::size_t held, bool grew) {
    most_ = std::max(most_, held);
    const bool fell = held <= most_ / 2 && most_ - held >= (grew ? kSome : kWorth);
    const bool over = fell && fell_;
    fell_ = fell && !over;
    return over;
  }

  /// The process has grown by what nobody counts (lines of operators, what an embedded shard reads)
  /// and grows no more. Under a load that takes again what was given back, ever more rarely.
  bool has_grown_unseen(std::size_t own, bool grew) {
    const bool grows = own > before_ + kSome;
    before_ = own;
    if (++looks_ < pause_) return false;
    if (!grew) pause_ = kPause;
    return grew && !grows;
  }

  std::size_t most_ = 0;    // held, since the last time
  std::size_t left_ = 0;    // of what the process has; 0: the next look tells
  std::size_t before_ = 0;  // the same, as of the last look
  unsigned looks_ = 0;      // since the last time
  unsigned pause_ = kPause;
  bool fell_ = false;
};

}  // namespace budget
