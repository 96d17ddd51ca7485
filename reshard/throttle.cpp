#include "reshard/throttle.hpp"

#include <algorithm>
#include <thread>

namespace reshard {
namespace {

constexpr std::chrono::milliseconds kStep{20};

}  // namespace

/// Under a new rate, nothing that was done under an older one counts.
bool Throttle::took(std::uint64_t amount) {
  amount_ += amount;
  for (;;) {
    if (const std::uint64_t rate = per_second_(); rate != rate_) {
      rate_ = rate;
      amount_ = amount;
      began_ = Clock::now();
    }
    if (rate_ == 0) return true;
    const std::chrono::duration<double> due(static_cast<double>(amount_) /
                                            static_cast<double>(rate_));
    const auto until = began_ + std::chrono::duration_cast<Clock::duration>(due);
    const auto now = Clock::now();
    if (now >= until) return true;
    if (stopped_()) return false;
    std::this_thread::sleep_for(std::min<Clock::duration>(kStep, until - now));
  }
}

bool Throttle::pause(Clock::duration time) {
  for (const auto until = Clock::now() + time;;) {
    const auto now = Clock::now();
    if (now >= until) return true;
    if (stopped_()) return false;
    std::this_thread::sleep_for(std::min<Clock::duration>(kStep, until - now));
  }
}

}  // namespace reshard
