#include "reshard/throttle.hpp"

#include <thread>

namespace reshard {

void Throttle::took(std::uint64_t amount) {
  amount_ += amount;
  if (rate_ == 0) return;
  const std::chrono::duration<double> due(static_cast<double>(amount_) /
                                          static_cast<double>(rate_));
  std::this_thread::sleep_until(
      began_ + std::chrono::duration_cast<std::chrono::steady_clock::duration>(due));
}

}  // namespace reshard
