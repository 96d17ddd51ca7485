#pragma once

#include <array>
#include <chrono>
#include <cstddef>

#include <boost/intrusive/list.hpp>

#include "budget/budget.hpp"
#include "router/serve/bounds.hpp"

namespace router {

/// Shares memory among frames that are still arriving, so that many clients who begin one at a time
/// can't exhaust it: a session reserves the whole frame before it reads on, or waits for its turn.
/// A frame may take half of what is free, and of the bound for all such frames a large one leaves
/// an eighth, so that a few
/// large ones leave room for smaller ones.
///
/// Who has a reservation must use it. While others wait, a frame has to arrive at the rate by which
/// the whole of it would be there in `stall_max`; where nobody does, a kilobyte a second will do,
/// over `stall_max`. One that doesn't is cut. Lives on one worker; what it grants is the process's.
class ArrivingFrames {
 public:
  using Clock = std::chrono::steady_clock;

  /// Frames from this size on need a reservation; the rest of a smaller one is in the next read.
  static constexpr std::size_t kBytesMin = 16 << 10;
  /// A rate is looked at over so long.
  static constexpr std::chrono::milliseconds kWindow{5'000};

  using Hook = boost::intrusive::list_member_hook<
      boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

  /// What reserves: for one frame at a time. Takes itself out of the list that it is in when it
  /// dies, but calls `release` before that where it was granted something.
  class Holder {
   public:
    virtual ~Holder() = default;
    /// It may read on.
    virtual void frame_granted() = 0;
    /// Its frame arrives too slowly: it must release.
    virtual void frame_stalled() = 0;
    /// Whether the session reads now: where it may not, the frame's delay is our doing.
    [[nodiscard]] virtual bool frame_is_read() const = 0;
    /// Whether its client has sent what was not read yet: then it is not cut now.
    [[nodiscard]] virtual bool input_waits() const = 0;
    /// Whether a frame that waits may still become whole; asked now and then.
    [[nodiscard]] virtual bool frame_may_be_whole() = 0;

    /// Nothing is known of it here: it need not be released.
    [[nodiscard]] bool frame_unknown() const { return state_ == State::none && unreserved_ == 0; }
    [[nodiscard]] bool frame_waits() const { return state_ == State::waiting; }
    [[nodiscard]] bool frame_reserved() const { return state_ == State::granted; }

   private:
    friend class ArrivingFrames;
    Hook place_, asking_;  // in the list of its state, and among those who wait
    enum class State { none, waiting, granted } state_ = State::none;
    budget::Charge charge_;
    std::size_t bytes_ = 0;       // of the whole frame
    std::size_t unreserved_ = 0;  // charged before, or without, a reservation
    std::size_t arrived_ = 0;     // in the window
    Clock::time_point since_;     // of the window, or of waiting
  };

  ArrivingFrames(Bounds& bounds, budget::Account& memory, std::chrono::milliseconds stall_max)
      : bounds_(bounds), memory_(memory), stall_max_(stall_max) {}
  void configure(std::chrono::milliseconds stall_max) { stall_max_ = stall_max; }

  /// True: granted. False: `frame_granted` will be called; those of one size (its power of two) in
  /// the order of asking. One that is larger than the bound is granted when no other is. O(1).
  bool reserve(Holder& holder, std::size_t bytes, Clock::time_point now);
  /// More of the frame has come. O(1).
  void arrived(Holder& holder, std::size_t bytes) { holder.arrived_ += bytes; }
  /// So many bytes have come of a frame that has no reservation. O(1).
  void unreserved(Holder& holder, std::size_t bytes);
  /// Much is taken: sessions should read little at a time, since what they have read is there
  /// before it can be asked whether there is room.
  [[nodiscard]] bool pressed() const {
    return memory_.pressed() ||
           bounds_.arriving.used() + bounds_.begun.used() > bounds_.arriving.bytes_max() / 2;
  }
  /// The frame is whole, or its session is over; also while waiting, or without a reservation.
  /// Grants what now fits. O(1).
  void release(Holder& holder, Clock::time_point now);
  /// Cuts what stalls, lets go who can't go on, and grants what other workers have given back. Call
  /// it often: it looks at some of those who wait, and at all that are granted once in a while.
  void tick(Clock::time_point now);

  [[nodiscard]] std::size_t granted() const { return granted_count_; }
  [[nodiscard]] std::size_t waiting() const { return waiting_count_; }

 private:
  template <auto hook>
  using ListBy = boost::intrusive::list<Holder, boost::intrusive::member_hook<Holder, Hook, hook>,
                                        boost::intrusive::constant_time_size<false>>;
  using List = ListBy<&Holder::place_>;
  static constexpr std::size_t kSizes = 24;  // powers of two from kBytesMin on

  List& waiting_like(std::size_t bytes);
  [[nodiscard]] bool fits(std::size_t bytes) const;
  bool grant(Holder& holder, Clock::time_point now);
  void grant_waiting(Clock::time_point now);
  void drop(Holder& holder);
  void cut_stalled(Clock::time_point now);
  void ask_some();
  [[nodiscard]] bool stalls(const Holder& holder, Clock::time_point now) const;

  Bounds& bounds_;
  budget::Account& memory_;
  std::chrono::milliseconds stall_max_;
  List granted_;
  std::array<List, kSizes> waiting_;
  std::size_t granted_count_ = 0, waiting_count_ = 0;
  ListBy<&Holder::asking_> to_ask_;  // those who wait, the next first
  Clock::time_point looked_{};
};

}  // namespace router
