#include "router/serve/reads_under_way.hpp"

#include <algorithm>

namespace router {

void ReadsUnderWay::begin(ReadUnderWay& read, const ActiveRing& ring,
                          std::chrono::steady_clock::time_point started) {
  read.ring_ = &ring;
  read.started_ = started;
  reads_.push_back(read);
}

void ReadsUnderWay::end(ReadUnderWay& read) {
  if (read.running()) read.unlink();
}

/// A publication of the same ring, with another gate, counts as another one: there are few.
std::vector<ReadsByRing> ReadsUnderWay::by_ring() const {
  std::vector<ReadsByRing> all;
  for (const ReadUnderWay& read : reads_) {
    const auto& snapshot = read.ring_->snapshot;
    auto found = std::find_if(all.begin(), all.end(),
                              [&](const ReadsByRing& each) { return each.snapshot == snapshot; });
    if (found == all.end()) found = all.insert(all.end(), {snapshot, 0, read.started_});
    ++found->count;
    found->oldest = std::min(found->oldest, read.started_);
  }
  return all;
}

}  // namespace router
