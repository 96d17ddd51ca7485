#include "router/control/coordinator_lease.hpp"

#include <algorithm>
#include <ctime>
#include <random>

namespace router {

std::chrono::nanoseconds lease_clock() {
#ifdef CLOCK_BOOTTIME
  constexpr clockid_t kClock = CLOCK_BOOTTIME;
#else
  constexpr clockid_t kClock = CLOCK_MONOTONIC;
#endif
  timespec now{};
  clock_gettime(kClock, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

std::optional<std::string> CoordinatorLease::take(std::chrono::nanoseconds now,
                                                  std::chrono::milliseconds time,
                                                  const std::string& holder) {
  if (out() && !expired(now) && (holder.empty() || holder != token_)) return std::nullopt;
  if (!holder.empty()) {
    token_ = holder;
    until_ = now + time;
    return token_;
  }
  std::random_device random;
  token_.clear();
  for (int i = 0; i < 4; ++i) {
    static constexpr char kDigits[] = "0123456789abcdef";
    for (std::uint32_t bits = random(), digit = 0; digit < 8; ++digit, bits >>= 4)
      token_ += kDigits[bits & 15];
  }
  until_ = now + time;
  return token_;
}

bool CoordinatorLease::renew(const std::string& token, std::chrono::nanoseconds now,
                             std::chrono::milliseconds time) {
  if (!held_by(token) || expired(now)) return false;
  until_ = now + time;
  return true;
}

std::chrono::milliseconds CoordinatorLease::left(std::chrono::nanoseconds now) const {
  if (!out()) return std::chrono::milliseconds(0);
  return std::max(std::chrono::milliseconds(0),
                  std::chrono::duration_cast<std::chrono::milliseconds>(until_ - now));
}

}  // namespace router
