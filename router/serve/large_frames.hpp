#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <vector>

namespace router {

/// Shares a worker's memory for large frames that are still arriving, so that many clients who
/// begin one at a time can't exhaust it: a session reserves the whole frame before it reads on, or
/// waits for its turn. Whoever has a reservation and sends nothing for too long is cut, so that
/// every turn comes. Lives on one worker.
class LargeFrames {
 public:
  using Clock = std::chrono::steady_clock;

  /// Frames from this size on need a reservation.
  static constexpr std::size_t kBytesMin = 256 << 10;

  class Holder {
   public:
    virtual void large_frame_granted() = 0;
    virtual void large_frame_stalled() = 0;

   protected:
    ~Holder() = default;
  };

  LargeFrames(std::size_t bytes_max, std::chrono::milliseconds stall_max)
      : bytes_max_(bytes_max), stall_max_(stall_max) {}
  /// Holds for reservations from now on.
  void configure(std::size_t bytes_max, std::chrono::milliseconds stall_max);

  /// True: granted. False: `large_frame_granted` will be called, in order of asking. A frame that
  /// is larger than everything is granted when it is alone. One reservation a holder.
  bool reserve(Holder& holder, std::size_t bytes, Clock::time_point now);
  /// More of the frame has come.
  void progressed(Holder& holder, Clock::time_point now);
  /// The frame is whole, or its session is over; also while waiting. Grants what now fits.
  void release(Holder& holder, Clock::time_point now);
  /// Tells holders that have sent nothing for too long; they must release.
  void cut_stalled(Clock::time_point now);

  [[nodiscard]] std::size_t bytes_reserved() const { return reserved_; }
  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }

 private:
  struct Reservation {
    Holder* holder;
    std::size_t bytes;
    Clock::time_point last_progress;
  };
  [[nodiscard]] bool fits(std::size_t bytes) const {
    return granted_.empty() || reserved_ + bytes <= bytes_max_;
  }

  std::size_t bytes_max_;
  std::chrono::milliseconds stall_max_;
  std::size_t reserved_ = 0;
  std::vector<Reservation> granted_;
  std::deque<Reservation> waiting_;
};

}  // namespace router
