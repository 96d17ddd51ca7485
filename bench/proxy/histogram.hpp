#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

namespace bench {

/// Durations in nanoseconds, each kept to within 1.6 %: 64 steps for every doubling. O(1) to add.
class Histogram {
 public:
  Histogram() : counts_(64 * kSteps) {}

  void add(std::uint64_t nanoseconds) {
    ++counts_[slot(nanoseconds)];
    ++total_;
    most_ = std::max(most_, nanoseconds);
  }
  [[nodiscard]] std::uint64_t total() const { return total_; }
  [[nodiscard]] std::uint64_t most() const { return most_; }
  /// The smallest kept value that `part` (0 to 1) of all lie at or below; 0 where nothing was
  /// added.
  [[nodiscard]] std::uint64_t quantile(double part) const {
    const auto wanted = static_cast<std::uint64_t>(static_cast<double>(total_) * part);
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > wanted) return value(i);
    }
    return most_;
  }

 private:
  static constexpr std::uint64_t kSteps = 64;
  static std::size_t slot(std::uint64_t nanoseconds) {
    if (nanoseconds < kSteps) return nanoseconds;
    const auto doublings = static_cast<std::uint64_t>(std::bit_width(nanoseconds)) - 7;
    return doublings * kSteps + (nanoseconds >> doublings);
  }
  static std::uint64_t value(std::size_t slot) {
    if (slot < 2 * kSteps) return slot;
    const std::uint64_t doublings = slot / kSteps - 1;
    return (slot - doublings * kSteps) << doublings;
  }
  std::vector<std::uint64_t> counts_;
  std::uint64_t total_ = 0;
  std::uint64_t most_ = 0;
};

}  // namespace bench
