#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <variant>

namespace turns {

/// How many requests one sender has under way at a shard.
///
/// As many as come, as long as they are answered about as quickly as the shard answers a few. Where
/// they take longer than that by ten milliseconds and as much again, they wait for each other at
/// the shard: then there are as many under way as the shard answers in the time that a few take and
/// half of it again, or all of it where that takes five milliseconds or more (Little's law: number
/// = rate × time), and the others wait here, where they take turns and may be refused. At any time
/// there are 1,024 under way at most, or what the shard answers in a quarter of a second, if that
/// is more.
///
/// It learns what a few take by having fewer and fewer under way for a moment (a look, as TCP BBR's
/// ProbeRTT); where fewer take as long as many, the shard is slow by itself, and nothing is
/// limited. Looks are due at whole tens of seconds of the system's clock, so that all who send to a
/// shard look at one time, and none takes the others' queue for the shard's own pace. Senders whose
/// clocks are apart do that, and limit less and less.
///
/// Requests without an answer for much longer than the window would have it count for that bound
/// alone: some may wait for a lock in the database, and must not keep the rest out.
///
/// Costs two increments a request, and two readings of the clock for some of them. Pure: time is
/// passed in. Lives on one thread.
class ShardWindow {
 public:
  using Clock = std::chrono::steady_clock;

  /// Requests of one kind take about as long as each other.
  enum class Kind : std::uint8_t { read, write, batch };
  static constexpr std::size_t kKinds = 3;

  /// `most`: under way where nothing is known of the shard.
  explicit ShardWindow(std::size_t most = 1024) : most_(most), most_ever_(most), open_(most) {}

  [[nodiscard]] bool full() const {
    return under_way_ >= most_ || under_way_ + stuck_ >= most_ever_;
  }
  [[nodiscard]] std::size_t under_way() const { return under_way_; }
  [[nodiscard]] std::size_t most() const { return most_; }
  /// More have come than the shard answers, and are kept back.
  [[nodiscard]] bool limits() const { return !std::holds_alternative<Open>(state_); }
  /// It has few under way for a moment, to learn what they take.
  [[nodiscard]] bool looks() const { return std::holds_alternative<Looking>(state_); }
  /// Answers in a second, at best of late.
  [[nodiscard]] double rate() const;
  /// What a request takes where there are few, as the last look has it; 0: there was none.
  [[nodiscard]] std::chrono::nanoseconds few_take() const;
  /// One that has had no answer for so long is stuck: it is to be told of by `got_stuck`. Where
  /// nothing is limited none is, however long it takes.
  [[nodiscard]] std::chrono::nanoseconds stuck_after() const { return stuck_after_; }

  /// One is sent. True: `answered` wants to know when that was.
  bool sent() {
    ++under_way_;
    return (++sent_ & mask_) == 0;
  }
  void answered(Kind kind) {
    --under_way_;
    ++interval_.kinds[index(kind)].answered;
  }
  void answered(Kind kind, Clock::time_point sent, Clock::time_point now);
  /// It ended without an answer, which says nothing of the shard's pace.
  void forgotten() { --under_way_; }
  void got_stuck() { --under_way_, ++stuck_; }
  /// One that was stuck has ended; one of the others does, by `answered` or `forgotten`.
  void stuck_ended() { --stuck_; }
  void stuck_answered(Kind kind, Clock::time_point sent, Clock::time_point now);
  /// One had to wait, since the window was full.
  void waited() { waited_ = true; }

  /// Looks at what has come in, if it is time. Call it more often than each 20 ms. `lag`: how long
  /// requests and answers usually wait for the sender, who is busy: that is not the shard's doing.
  /// `wall`: the system's clock, since the epoch. O(1).
  void tick(Clock::time_point now, std::chrono::nanoseconds lag, std::chrono::milliseconds wall);

 private:
  struct OfKind {
    std::uint64_t answered = 0;
    std::uint64_t samples = 0;
    std::chrono::nanoseconds sum{};
  };
  /// What was seen in some time.
  struct Seen {
    std::array<OfKind, kKinds> kinds{};
    [[nodiscard]] std::uint64_t answered() const;
    [[nodiscard]] std::uint64_t samples() const;
    /// The mean time of a request, in seconds, by the kinds' shares.
    [[nodiscard]] double mean() const;
  };
  struct Open {};
  /// Fewer are under way, `most_`: an eighth each time, until the shard has not enough to do.
  struct Looking {
    Clock::time_point began, step_began;
    std::optional<Clock::time_point> few_since;  // those sent since then are looked at
    Seen before;
    double slower = 0;     // what they take, in seconds, where there is a crowd
    bool limited = false;  // before, too
  };
  struct Limiting {
    Clock::time_point waited_last;
  };

  static std::size_t index(Kind kind) { return static_cast<std::size_t>(kind); }
  void end_interval(Clock::time_point now);
  [[nodiscard]] std::chrono::nanoseconds patience(Clock::time_point now);
  void look(Clock::time_point now, bool limited);
  [[nodiscard]] bool slower_than_thought() const;
  void look_on(Looking looking, Clock::time_point now);
  void end_look(const Looking& looking, Clock::time_point now);
  void go_on_open();
  void go_on_limiting(Clock::time_point now);
  /// Requests wait for each other: they take longer by far than a few do.
  [[nodiscard]] bool crowded(const Seen& seen) const;
  /// What a request like those takes where there are few, in seconds.
  [[nodiscard]] double own(const Seen& seen) const;
  [[nodiscard]] double last_rate() const { return rates_[(next_rate_ + kRates - 1) % kRates]; }

  void add_sample(Kind kind, Clock::time_point sent, Clock::time_point now);

  std::size_t under_way_ = 0;
  std::size_t stuck_ = 0;  // and not among those
  std::size_t most_;
  std::size_t most_ever_;  // with those that are stuck
  const std::size_t open_;
  std::uint64_t sent_ = 0;
  std::uint64_t mask_ = 0;  // one in so many, and one, is timed
  bool waited_ = false;
  Seen interval_;
  Seen last_;  // the last interval in which enough was seen
  Clock::time_point interval_began_{};
  std::chrono::nanoseconds lag_{};
  std::chrono::nanoseconds interval_is_ = kInterval;
  std::variant<Open, Looking, Limiting> state_;

  static constexpr std::size_t kRates = 10;
  std::array<double, kRates> rates_{};  // answers a second, of the last intervals
  std::size_t next_rate_ = 0;
  std::array<double, kKinds> own_{};     // what a few take, in seconds; 0: not known
  Clock::time_point slow_until_{};       // it is slow by itself: not looked at again until then
  std::chrono::nanoseconds slow_for_{};  // and then so long
  std::int64_t second_ = 0;              // of the system's clock
  static constexpr std::chrono::nanoseconds kNever = std::chrono::nanoseconds::max();
  std::chrono::nanoseconds stuck_after_ = kNever;
  std::uint64_t answers_ = 0;  // of the last tick
  Clock::time_point answered_last_{};

  static constexpr std::chrono::milliseconds kInterval{100};
  static constexpr std::chrono::milliseconds kStuck{250};
};

}  // namespace turns
