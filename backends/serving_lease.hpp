#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <ctime>

namespace backends {

/// A clock that goes on while the machine sleeps, where the system has one: a lease that ran out
/// meanwhile has run out.
inline std::chrono::nanoseconds lease_clock() {
#ifdef CLOCK_BOOTTIME
  constexpr clockid_t kClock = CLOCK_BOOTTIME;
#else
  constexpr clockid_t kClock = CLOCK_MONOTONIC;
#endif
  timespec now{};
  clock_gettime(kClock, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

/// Until when requests to some vnodes may be sent by the ring that they were planned on. Beyond
/// that their coordinator takes it that this router serves them no more, and gives them to another
/// shard.
///
/// Threads meet here: the control's thread moves the end, the workers that have such a request read
/// it. One number, relaxed: nothing else is published by it, the clock is each thread's own, and a
/// worker that still sees an earlier end refuses what it might have sent. A worker never waits for
/// the control, and needs no message from it to stop: a control that stalls, or a process that was
/// stopped and goes on, finds the end where it was.
class ServingLease {
 public:
  explicit ServingLease(std::chrono::nanoseconds until) : until_ns_(until.count()) {}

  /// The control's thread.
  void set_end(std::chrono::nanoseconds until) {
    until_ns_.store(until.count(), std::memory_order_relaxed);
  }
  [[nodiscard]] std::chrono::nanoseconds end() const {
    return std::chrono::nanoseconds(until_ns_.load(std::memory_order_relaxed));
  }
  /// Any thread.
  [[nodiscard]] bool over() const { return lease_clock() >= end(); }

 private:
  std::atomic<std::int64_t> until_ns_;
};

}  // namespace backends
