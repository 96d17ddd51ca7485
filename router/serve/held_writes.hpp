#pragma once

#include <chrono>
#include <cstddef>

#include <boost/intrusive/list.hpp>

#include "router/serve/bounds.hpp"

namespace router {

class Exchange;

using HeldHook =
    boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

struct HoldLimits {
  std::chrono::milliseconds time_max{5'000};  ///< then a held write is refused

  bool operator==(const HoldLimits&) const = default;
};

/// The writes of one worker that wait at the gate, in the order in which they came. Those of one
/// vnode go on in that order: whatever the gate lets through is sent before the worker reads
/// another request. Reads never wait. Lives on that worker.
class HeldWrites {
 public:
  explicit HeldWrites(Bounds& bounds) : bounds_(bounds) {}

  void configure(const HoldLimits& limits) { limits_ = limits; }
  [[nodiscard]] const HoldLimits& limits() const { return limits_; }

  /// Room for one more write, of the process's; false: there is none, and it gets ReadOnlyError.
  [[nodiscard]] bool take_room(std::size_t bytes);
  /// It is held no more.
  void give_room(std::size_t bytes);
  /// With room taken: to the end of the queue, for the first time or again.
  void add(Exchange& exchange);
  void remove(Exchange& exchange);

  /// The gate has changed: every write is planned again, in order; those that are still held come
  /// back in the same order. O(held).
  void let_go();

  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  // Exchanges, by their hooks: each takes itself out of whatever list it is in when it dies.
  using Queue = boost::intrusive::list<HeldHook, boost::intrusive::base_hook<HeldHook>,
                                       boost::intrusive::constant_time_size<false>>;

  Bounds& bounds_;
  HoldLimits limits_;
  std::size_t count_ = 0;
  std::size_t bytes_ = 0;
  Queue queue_;
};

}  // namespace router
