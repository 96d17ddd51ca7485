#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace reshard {

/// `7 s`, `2 min 05 s`, `3 h 10 min`; rounded up to a second.
std::string time_text(double seconds);

/// A line that tells how far something is: redrawn in place on a terminal, elsewhere a line each
/// ten seconds. Written to stderr. Lives on one thread.
class ProgressBar {
 public:
  /// `what`: what is counted, e.g. "rows". `total`: as well as it is known; 0: not at all.
  ProgressBar(std::string name, std::string what, std::uint64_t total);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void add(std::uint64_t count);
  [[nodiscard]] std::uint64_t done() const { return done_; }

  /// The line, as it would be after so many seconds; for tests.
  [[nodiscard]] std::string line(double seconds) const;

 private:
  using Clock = std::chrono::steady_clock;
  void show(bool last);

  std::string name_, what_;
  std::uint64_t total_, done_ = 0;
  bool terminal_;
  Clock::time_point began_, shown_;
};

}  // namespace reshard
