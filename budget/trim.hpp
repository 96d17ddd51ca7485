#pragma once

#include <cstddef>

namespace budget {

/// Decides when memory that is free again goes back to the system: an allocator keeps what a burst
/// has used, for ever. Pure. One thread.
class Trim {
 public:
  /// Called once a second or so with what is held. True: much less is held than before, and has
  /// been since the last call: it is worth the time now.
  [[nodiscard]] bool look(std::size_t held) {
    if (held > most_) most_ = held;
    const bool fell = held <= most_ / 2 && most_ - held >= kWorth;
    const bool due = fell && fell_;
    fell_ = fell && !due;
    if (due) most_ = held;
    return due;
  }

 private:
  static constexpr std::size_t kWorth = 8 << 20;
  std::size_t most_ = 0;  // since the last time
  bool fell_ = false;
};

/// Does it, where the C library can. Takes about as long as there are free megabytes, in tens of
/// microseconds each. Any thread.
void trim_memory();

}  // namespace budget
