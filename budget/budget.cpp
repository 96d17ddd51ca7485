#include "budget/budget.hpp"

namespace budget {

/// Two who take at once may each see the other's bytes, and both be refused where one would have
/// fitted: the bound is never passed.
bool Budget::take(std::size_t bytes) {
  const std::size_t bytes_max = this->bytes_max();
  if (bytes > bytes_max) return false;
  const std::size_t before = used_.fetch_add(bytes, std::memory_order_relaxed);
  if (before <= bytes_max - bytes) return true;
  used_.fetch_sub(bytes, std::memory_order_relaxed);
  return false;
}

std::size_t Budget::free() const {
  const std::size_t used = this->used(), bytes_max = this->bytes_max();
  return used < bytes_max ? bytes_max - used : 0;
}

bool Account::take(std::size_t bytes) {
  if (bytes > reserve_) {
    const std::size_t wanted = bytes - reserve_;
    if (budget_->take(wanted + kStep))
      reserve_ += wanted + kStep;
    else if (budget_->take(wanted))
      reserve_ += wanted;
    else
      return false;
  }
  reserve_ -= bytes;
  held_ += bytes;
  return true;
}

void Account::take_anyway(std::size_t bytes) {
  if (take(bytes)) return;
  budget_->take_anyway(bytes);
  held_ += bytes;
}

void Account::give(std::size_t bytes) {
  held_ -= bytes;
  reserve_ += bytes;
  if (reserve_ <= 2 * kStep) return;
  budget_->give(reserve_ - kStep);
  reserve_ = kStep;
}

}  // namespace budget
