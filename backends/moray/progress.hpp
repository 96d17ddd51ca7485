#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace backends::moray {

struct ProgressOptions {
  std::chrono::milliseconds suspect_after{5'000};   ///< without progress, where some is due
  std::chrono::milliseconds give_up_after{30'000};  ///< likewise
  /// A part of a frame is progress only at this rate since the last progress: a byte now and then
  /// is none.
  std::uint64_t bytes_per_second_min = 1024;
  /// More unanswered requests that nobody waits for are suspect, whatever else is answered.
  std::size_t given_up_max = 1'000;
  /// Counted for one look at most: where this process itself stood still, nothing could be read,
  /// and that is no silence of the other end's.
  std::chrono::milliseconds look_every{1'000};
};

/// What one look at a connection sees. Counters only grow.
struct Sight {
  bool answers_due = false;  ///< a request is out whole whose answer is due within seconds
  std::uint64_t answers = 0;
  std::uint64_t bytes_read = 0;
  bool output_due = false;  ///< the socket takes nothing now, and something is to be written
  std::uint64_t bytes_written = 0;
  std::size_t given_up = 0;  ///< requests outstanding that nobody waits for
};

/// Decides, from one look after another, whether a connection makes progress. Pure: the time is
/// passed in.
class Progress {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit Progress(const ProgressOptions& options) : options_(options) {}

  void look(const Sight& sight, Time now);

  /// No progress for `suspect_after`, or too much given up. It is over with the next progress.
  [[nodiscard]] bool suspect() const;
  /// The same for `give_up_after`: better closed, where another server is there.
  [[nodiscard]] bool hopeless() const;
  /// For people, e.g. "no answer for 7 s"; empty where it is not suspect.
  [[nodiscard]] std::string problem() const;

 private:
  using Milliseconds = std::chrono::milliseconds;

  /// One kind of progress that may be due, and for how long none was seen.
  class Lull {
   public:
    void look(bool due, std::uint64_t wholes, std::uint64_t bytes, Milliseconds passed,
              std::uint64_t bytes_per_second_min);
    [[nodiscard]] Milliseconds lasts() const { return lasts_; }

   private:
    bool due_ = false;
    std::uint64_t wholes_ = 0;  // as of its begin
    std::uint64_t bytes_ = 0;   // as of its begin
    Milliseconds lasts_{0};
  };

  ProgressOptions options_;
  std::optional<Time> looked_;
  Lull answers_, output_, given_up_;
  std::size_t given_up_count_ = 0;
};

}  // namespace backends::moray
