#pragma once

#include <chrono>
#include <cstddef>

#include <boost/intrusive/list.hpp>

namespace router {

class Exchange;

using HeldHook =
    boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

/// One worker's share of the process's bounds; beyond them writes get ReadOnlyError.
struct HoldLimits {
  std::size_t writes_max = 10'000;
  std::size_t bytes_max = std::size_t{64} << 20;  ///< of payloads
  std::chrono::milliseconds time_max{5'000};

  bool operator==(const HoldLimits&) const = default;
};

/// The writes of one worker that wait at the gate, in the order in which they came. Those of one
/// vnode go on in that order: whatever the gate lets through is sent before the worker reads
/// another request. Reads never wait. Lives on that worker.
class HeldWrites {
 public:
  void configure(const HoldLimits& limits) { limits_ = limits; }
  [[nodiscard]] const HoldLimits& limits() const { return limits_; }

  [[nodiscard]] bool has_room(std::size_t bytes) const {
    return count_ < limits_.writes_max && bytes_ + bytes <= limits_.bytes_max;
  }
  void add(Exchange& exchange, std::size_t bytes);
  void remove(Exchange& exchange, std::size_t bytes);

  /// The gate has changed: every write is planned again, in order; those that are still held come
  /// back in the same order. O(held).
  void let_go();

  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  // Exchanges, by their hooks: each takes itself out of whatever list it is in when it dies.
  using Queue = boost::intrusive::list<HeldHook, boost::intrusive::base_hook<HeldHook>,
                                       boost::intrusive::constant_time_size<false>>;

  HoldLimits limits_;
  std::size_t count_ = 0;
  std::size_t bytes_ = 0;
  Queue queue_;
};

}  // namespace router
