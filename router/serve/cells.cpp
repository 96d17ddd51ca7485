#include "router/serve/cells.hpp"

#include <algorithm>
#include <cmath>

namespace router {

const std::array<double, kLatencyBuckets>& latency_bounds() {
  static const std::array<double, kLatencyBuckets> bounds = [] {
    std::array<double, kLatencyBuckets> made{};
    for (std::size_t i = 0; i < kLatencyBuckets; ++i) {
      // By a whole power of ten, so that each is the number nearest to its decimal form.
      const auto step = static_cast<double>(2 * (i % 5) + 2);
      const auto decade = static_cast<int>(i / 5) - 4;
      made[i] = decade < 0 ? step / std::pow(10.0, -decade) : step * std::pow(10.0, decade);
    }
    return made;
  }();
  return bounds;
}

void LatencyCells::observe(std::chrono::nanoseconds taken) {
  const double seconds = std::chrono::duration<double>(taken).count();
  const auto& bounds = latency_bounds();
  const auto at = std::lower_bound(bounds.begin(), bounds.end(), seconds);
  buckets[static_cast<std::size_t>(at - bounds.begin())].add();
  nanoseconds.add(static_cast<std::uint64_t>(std::max<std::int64_t>(taken.count(), 0)));
}

void WorkerCells::protocol_error(std::string_view reason) {
  const std::scoped_lock lock(errors_mutex_);
  ++errors_[std::string(reason)];
}

std::map<std::string, std::uint64_t> WorkerCells::protocol_errors() const {
  const std::scoped_lock lock(errors_mutex_);
  return errors_;
}

}  // namespace router
