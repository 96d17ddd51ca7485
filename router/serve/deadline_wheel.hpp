#pragma once

#include <array>
#include <chrono>
#include <cstddef>

namespace router {

/// Many deadlines, one timer: a hashed wheel of intrusive lists. Arming and disarming are O(1)
/// and never allocate; a sweep looks only at slots that came due. Deadlines fire up to one tick
/// late, never early. Pure: time is passed in. Lives on one worker.
class DeadlineWheel {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds kTick{16};

  /// Something with at most one deadline. Disarms itself when it dies.
  class Entry {
   public:
    Entry() = default;
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    virtual ~Entry();
    virtual void on_deadline() = 0;
    [[nodiscard]] bool armed() const { return next_ != nullptr; }

   private:
    friend class DeadlineWheel;
    Entry* next_ = nullptr;
    Entry* previous_ = nullptr;
    DeadlineWheel* wheel_ = nullptr;
    Clock::time_point when_{};
  };

  explicit DeadlineWheel(Clock::time_point now);
  DeadlineWheel(const DeadlineWheel&) = delete;
  DeadlineWheel& operator=(const DeadlineWheel&) = delete;

  /// Sets the entry's deadline, replacing an earlier one.
  void arm(Entry& entry, Clock::time_point when);
  void disarm(Entry& entry);

  /// Calls on_deadline of every entry that is due, disarmed first; entries may arm, disarm or
  /// destroy themselves and others meanwhile.
  void advance(Clock::time_point now);

  [[nodiscard]] std::size_t armed() const { return armed_; }

 private:
  static constexpr std::size_t kSlots = 1024;
  // A list's head is an Entry too, so that unlinking needs no special case.
  struct Head final : Entry {
    void on_deadline() override {}
  };
  [[nodiscard]] std::size_t tick_of(Clock::time_point when) const;
  void link(Entry& entry, Entry& head);
  static void unlink(Entry& entry);
  void sweep(std::size_t slot, Clock::time_point now);

  Clock::time_point start_;
  std::size_t swept_ticks_ = 0;  // every tick before this one has been swept
  std::size_t armed_ = 0;
  std::array<Head, kSlots> slots_;
  Head due_;
};

}  // namespace router
