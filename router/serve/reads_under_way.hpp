#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <vector>

#include <boost/intrusive/list.hpp>

#include "router/serve/active_ring.hpp"

namespace router {

/// A read of rows on its way: from its submission to its shard's first answer, or until nobody
/// waits for that any more. Afterwards its snapshot of the rows is taken, and what it still
/// delivers is of that. A member of what submits it.
class ReadUnderWay : public boost::intrusive::list_base_hook<
                         boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  [[nodiscard]] bool running() const { return is_linked(); }

 private:
  friend class ReadsUnderWay;
  const ActiveRing* ring_ = nullptr;  // that it was planned on; its exchange keeps it
  std::chrono::steady_clock::time_point started_;
};

/// Those of one ring.
struct ReadsByRing {
  std::shared_ptr<const Snapshot> snapshot;
  std::size_t count = 0;
  std::chrono::steady_clock::time_point oldest;  ///< when its request had arrived
};

/// One worker's reads under way. Beginning and ending one is O(1) without memory; they are counted
/// when somebody asks. Lives on that worker.
class ReadsUnderWay {
 public:
  /// `ring` must outlive the read.
  void begin(ReadUnderWay& read, const ActiveRing& ring,
             std::chrono::steady_clock::time_point started);
  void end(ReadUnderWay& read);
  /// O(reads * rings that some were planned on).
  [[nodiscard]] std::vector<ReadsByRing> by_ring() const;

 private:
  boost::intrusive::list<ReadUnderWay, boost::intrusive::constant_time_size<false>> reads_;
};

}  // namespace router
