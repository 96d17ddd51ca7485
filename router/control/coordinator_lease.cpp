#include "router/control/coordinator_lease.hpp"

#include <algorithm>
#include <random>

namespace router {

std::string new_token() {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::random_device random;
  std::string token;
  for (int i = 0; i < 4; ++i)
    for (std::uint32_t bits = random(), digit = 0; digit < 8; ++digit, bits >>= 4)
      token += kDigits[bits & 15];
  return token;
}

std::optional<std::string> CoordinatorLease::take(std::chrono::nanoseconds now,
                                                  std::chrono::milliseconds time,
                                                  const std::string& holder) {
  if (out() && !expired(now) && (holder.empty() || holder != token_)) return std::nullopt;
  token_ = holder.empty() ? new_token() : holder;
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
