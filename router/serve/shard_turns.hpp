#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include <boost/intrusive/list.hpp>

#include "backends/shard.hpp"
#include "turns/fair_queue.hpp"
#include "turns/place_queue.hpp"
#include "turns/shard_window.hpp"

namespace router {

class Turns;

/// What one worker's requests have under way at a shard, and those of them that wait for their turn
/// there. Lives on that worker, as long as the shard.
class ShardTurns : public boost::intrusive::list_base_hook<
                       boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
  using Hook =
      boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

 public:
  using Clock = turns::ShardWindow::Clock;
  using Kind = turns::ShardWindow::Kind;
  /// Requests that may take any time, and have places instead of a window.
  enum class Long : std::uint8_t { stream, change };

  /// One request's part of it. It ends when it dies, as one without an answer.
  class Part : public Hook {
   public:
    Part() = default;
    Part(const Part&) = delete;
    Part& operator=(const Part&) = delete;
    ~Part() { end(false); }

    /// So many bytes are under way, by the budget. Once until `end`; `turns` outlives that. O(1).
    void begin(ShardTurns& turns, std::size_t bytes);
    /// They are a request of that kind, for which the window counts.
    void begin(ShardTurns& turns, std::size_t bytes, Kind kind);
    /// They are a request of that client, which has a place. O(log clients).
    void begin(ShardTurns& turns, std::size_t bytes, Long kind, const void* client);
    /// A stream is held up by its client, and goes on: where the shard's places are such, others
    /// may have this one meanwhile. Nothing happens to a request without a place. O(1).
    void pause();
    void go_on();
    /// Nobody waits for it any more, though the shard goes on with it: its place is free. O(log
    /// clients).
    void leave_place();
    /// `answered`: by the shard, with an error or not; its time counts. Others may have their turn
    /// by it, after this turn of the loop. Nothing happens to one that has not begun. O(1), and of
    /// one with a place O(log clients).
    void end(bool answered);

   private:
    friend class ShardTurns;
    void put_aside();

    ShardTurns* turns_ = nullptr;
    std::size_t bytes_ = 0;
    Kind kind_ = Kind::read;
    enum class Counted : std::uint8_t { no, under_way, stuck } counted_ = Counted::no;
    Clock::time_point noticed_{};          // it was under way then
    Clock::time_point sent_{};             // where it is timed
    turns::PlaceQueue* places_ = nullptr;  // where it has a place
    const void* client_ = nullptr;         // whose place it is; compared only
    bool aside_ = false;
  };

  /// `all` outlives it.
  ShardTurns(Turns& all, backends::Places places, turns::ShardWindow window = turns::ShardWindow());

  /// Bytes under way, by the budget.
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  /// A request must wait: there is no room in the window, or others wait, and come first. O(1).
  [[nodiscard]] bool must_wait() const { return window_.full() || !queue_.empty(); }
  /// The same of one that needs a place. O(1).
  [[nodiscard]] bool must_wait(const void* client, Long kind) const {
    return places(kind).must_wait(client);
  }
  /// The shard has left the ring: see Turns::leave_retired.
  void retire() { retired_ = true; }
  [[nodiscard]] std::size_t waiting() const;

 private:
  friend class Turns;
  void find_stuck(Clock::time_point now);
  void leave_places(Clock::time_point now);
  [[nodiscard]] std::size_t index(Long kind) const {
    return kind == Long::change && !shared_ ? 1 : 0;
  }
  [[nodiscard]] const turns::PlaceQueue& places(Long kind) const { return places_[index(kind)]; }
  [[nodiscard]] turns::PlaceQueue& places(Long kind) { return places_[index(kind)]; }
  [[nodiscard]] bool some_may_go_on() const;

  Turns& all_;
  std::size_t bytes_ = 0;
  turns::ShardWindow window_;
  turns::FairQueue queue_;
  const bool shared_, paused_leave_;
  const std::optional<std::chrono::milliseconds> changes_leave_;
  std::array<turns::PlaceQueue, 2> places_;  // of streams, or of both kinds; and of changes
  bool retired_ = false;
  Clock::time_point unshared_last_{};  // no two clients had something in the queue
  boost::intrusive::list<Part, boost::intrusive::base_hook<Hook>,
                         boost::intrusive::constant_time_size<false>>
      under_way_,  // that are counted, in the order in which they were sent
      changes_;    // that have a place, and leave it when they take long; likewise
  boost::intrusive::list_member_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>
      due_;  // where some may go on
};

/// A worker's requests that wait for their turn at a shard. Lives on that worker.
///
/// A client that waits alone here waits for nothing but its own requests, and what other workers
/// send: none of it is refused. A request is patient for `wait_max`, or for as long as the shard
/// takes for one of a few, where that is longer. A shard at which two clients or more have waited
/// at any time for twelve times as long has more to do than it can: then a request that has waited
/// for longer than it is patient is refused. Before that nothing is refused: a burst is carried
/// out. A client's only one waits for a tenth as long again, or for twelve times as long while the
/// window looks.
class Turns {
 public:
  using Clock = ShardTurns::Clock;

  /// A request that waits.
  class Waiting : public turns::Entry {
   public:
    /// It is sent, or answered, or waits elsewhere.
    virtual void turn_has_come() = 0;
    /// It has waited for too long.
    virtual void turn_is_late(std::chrono::milliseconds waited) = 0;
    /// The gate has changed: it leaves the queue if it must wait there.
    virtual void gate_has_changed() = 0;
    /// The shard has left the ring: it leaves the queue, and goes where today's ring says.
    virtual void shard_has_left() = 0;

   protected:
    virtual ~Waiting() = default;

   private:
    friend class Turns;
    ShardTurns* at_ = nullptr;
    turns::PlaceQueue* for_place_ = nullptr;  // where it waits for one
  };

  /// 0: all wait until their deadline.
  void configure(std::chrono::milliseconds wait_max) { wait_max_ = wait_max; }
  /// Calls `run` of us at the end of this turn of the loop.
  using Schedule = void (*)(void* worker);
  void schedule_by(Schedule schedule, void* worker) {
    schedule_ = schedule;
    worker_ = worker;
  }

  /// It waits as that client's last there, until its turn, its lateness, or `leave`. `bytes`: of
  /// the request. It calls nothing of it. O(1).
  void wait(Waiting& request, ShardTurns& at, const void* client, std::size_t bytes);
  /// The same for a place. It is never late, but for its deadline. O(log clients).
  void wait(Waiting& request, ShardTurns& at, const void* client, ShardTurns::Long kind);
  /// It waits no longer, and is called no more. Only of one that waits. O(1), and of one that waits
  /// for a place O(log clients).
  void leave(Waiting& request);
  /// Sends what may be sent: those whose turn it is are called, and may end their clients. O(shards
  /// where some may go on) and those that are sent.
  void run();
  /// The gate has changed: writes that it holds wait there, from now on, in their order, so that
  /// those that come later don't come before them. O(requests in line), which are all planned
  /// again.
  void look_at_gate();
  /// Those that wait at shards that have left the ring are planned again, so that they don't wait
  /// for what such a shard still does, and later ones of their clients don't pass them. O(shards)
  /// and those.
  void leave_retired();
  /// Call it as the worker ticks. `lag`: how long an answer usually waits until the worker sees it.
  /// O(shards, and clients that wait at each).
  void tick(Clock::time_point now, std::chrono::nanoseconds lag, std::chrono::milliseconds wall);

  [[nodiscard]] std::size_t waiting() const { return waiting_; }

 private:
  friend class ShardTurns;
  friend class ShardTurns::Part;
  void may_go_on(ShardTurns& turns);
  void run(ShardTurns& at);
  void refuse_late(ShardTurns& at, Clock::time_point now, Clock::duration since_last);
  [[nodiscard]] std::chrono::milliseconds patience(const ShardTurns& at) const;
  void left(ShardTurns& at);

  std::chrono::milliseconds wait_max_{40};
  Schedule schedule_ = nullptr;
  void* worker_ = nullptr;
  bool scheduled_ = false;
  std::size_t waiting_ = 0;
  Clock::time_point ticked_{};
  turns::Ledger ledger_;
  boost::intrusive::list<ShardTurns, boost::intrusive::constant_time_size<false>> shards_;
  using Due = boost::intrusive::list<
      ShardTurns,
      boost::intrusive::member_hook<ShardTurns, decltype(ShardTurns::due_), &ShardTurns::due_>,
      boost::intrusive::constant_time_size<false>>;
  Due due_;
};

}  // namespace router
