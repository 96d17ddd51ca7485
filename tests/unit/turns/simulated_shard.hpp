#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <queue>
#include <random>
#include <vector>

#include "turns/shard_window.hpp"

/// Senders with windows of their own before a shard that serves so many requests at a time, on a
/// simulated clock.
namespace simulated {

using turns::ShardWindow;
using Clock = ShardWindow::Clock;
using Kind = ShardWindow::Kind;
using std::chrono::nanoseconds;

/// What a shard is like; all may change while it serves.
struct ShardModel {
  std::size_t servers = 8;
  /// How long one request takes by itself.
  std::function<nanoseconds(Kind, std::minstd_rand&)> takes;
};

struct Load {
  double rate = 0;              ///< open loop: requests a second, of each sender; 0: closed loop
  std::size_t outstanding = 0;  ///< closed loop, of each sender
  double writes = 0;            ///< the share of them
  nanoseconds refused_after{};  ///< a request that has waited for so long is refused; 0: never
  bool unlimited = false;       ///< as if there were no window
  std::chrono::milliseconds apart{};  ///< each sender's system clock from the one before
};

struct Tally {
  std::uint64_t answered = 0, refused = 0;
  nanoseconds at_shard{}, waited{};  ///< sums over those answered
  std::size_t most_under_way = 0;    ///< at the shard
  [[nodiscard]] double shard_ms() const { return ms(at_shard); }
  [[nodiscard]] double whole_ms() const { return ms(at_shard + waited); }

 private:
  [[nodiscard]] double ms(nanoseconds sum) const {
    return answered == 0 ? 0
                         : std::chrono::duration<double, std::milli>(sum).count() /
                               static_cast<double>(answered);
  }
};

/// One shard, some senders. Each call of `run` goes on from the last.
class Simulation {
 public:
  Simulation(ShardModel of, Load offered, std::size_t senders = 1)
      : model(std::move(of)), load(offered) {
    for (std::size_t i = 0; i < senders; ++i) senders_.push_back(std::make_unique<Sender>());
    for (std::size_t i = 0; i < senders; ++i) {
      if (load.rate > 0) at(now_ + gap(), [this, i] { arrive(i); });
      for (std::size_t each = 0; each < load.outstanding; ++each) ask(i);
      at(now_ + nanoseconds(16'000'000 * (i + 1) / senders), [this, i] { tick(i); });
    }
  }

  /// What became of requests that were answered in that time.
  Tally run(std::chrono::milliseconds time) {
    tally_ = {};
    const Clock::time_point end = now_ + time;
    while (!events_.empty() && events_.top().when <= end) {
      const Event next = events_.top();
      events_.pop();
      now_ = next.when;
      next.act();
    }
    now_ = end;
    return tally_;
  }

  [[nodiscard]] const ShardWindow& window(std::size_t sender = 0) const {
    return senders_[sender]->window;
  }
  /// Occupies so many of a sender's requests for as long as the run goes on: they wait for a lock.
  void lock(std::size_t sender, std::size_t requests) {
    for (std::size_t i = 0; i < requests; ++i) {
      senders_[sender]->window.sent();
      senders_[sender]->sent.push_back({now_, std::make_shared<State>(State::under_way)});
    }
  }

  ShardModel model;
  Load load;

 private:
  enum class State { under_way, stuck, over };
  struct Request {
    std::size_t sender = 0;
    Kind kind = Kind::read;
    Clock::time_point came, sent;
    bool timed = false;
    std::shared_ptr<State> state;
  };
  struct Sent {
    Clock::time_point when;
    std::shared_ptr<State> state;
  };
  struct Sender {
    ShardWindow window;
    std::deque<Request> waiting;
    std::deque<Sent> sent;  // those not answered, and some that are, in the order of sending
  };
  struct Event {
    Clock::time_point when;
    std::uint64_t number;
    std::function<void()> act;
    bool operator<(const Event& other) const {
      return when != other.when ? when > other.when : number > other.number;
    }
  };

  void at(Clock::time_point when, std::function<void()> act) {
    events_.push({when, next_event_++, std::move(act)});
  }
  nanoseconds gap() {
    return nanoseconds(
        static_cast<std::int64_t>(std::exponential_distribution<>(load.rate)(random_) * 1e9));
  }
  void arrive(std::size_t sender) {
    ask(sender);
    at(now_ + gap(), [this, sender] { arrive(sender); });
  }
  void ask(std::size_t sender) {
    const bool write = std::uniform_real_distribution<>()(random_) < load.writes;
    senders_[sender]->waiting.push_back(
        {sender, write ? Kind::write : Kind::read, now_, now_, false, nullptr});
    send(sender);
  }
  void send(std::size_t number) {
    Sender& sender = *senders_[number];
    while (!sender.waiting.empty()) {
      Request next = sender.waiting.front();
      if (load.refused_after.count() > 0 && now_ - next.came > load.refused_after) {
        sender.waiting.pop_front();
        ++tally_.refused;
        continue;
      }
      if (sender.window.full() && !load.unlimited) {
        sender.window.waited();
        return;
      }
      sender.waiting.pop_front();
      next.sent = now_;
      next.timed = sender.window.sent();
      next.state = std::make_shared<State>(State::under_way);
      sender.sent.push_back({now_, next.state});
      at_shard_.push_back(next);
      serve();
    }
  }
  void serve() {
    tally_.most_under_way = std::max(tally_.most_under_way, at_shard_.size() + serving_);
    while (serving_ < model.servers && !at_shard_.empty()) {
      const Request next = at_shard_.front();
      at_shard_.pop_front();
      ++serving_;
      at(now_ + model.takes(next.kind, random_), [this, next] { answer(next); });
    }
  }
  void answer(const Request& request) {
    --serving_;
    Sender& sender = *senders_[request.sender];
    if (*request.state == State::stuck && request.timed)
      sender.window.stuck_answered(request.kind, request.sent, now_);
    else if (*request.state == State::stuck)
      sender.window.stuck_ended();
    else if (request.timed)
      sender.window.answered(request.kind, request.sent, now_);
    else
      sender.window.answered(request.kind);
    *request.state = State::over;
    ++tally_.answered;
    tally_.at_shard += now_ - request.sent;
    tally_.waited += request.sent - request.came;
    serve();
    if (load.outstanding > 0) ask(request.sender);
    send(request.sender);
  }
  void tick(std::size_t number) {
    Sender& sender = *senders_[number];
    while (!sender.sent.empty()) {
      const Sent& oldest = sender.sent.front();
      const bool over = *oldest.state == State::over;
      if (!over && now_ - oldest.when < sender.window.stuck_after()) break;
      if (!over) {
        sender.window.got_stuck();
        *oldest.state = State::stuck;
      }
      sender.sent.pop_front();
    }
    sender.window.tick(
        now_, {},
        std::chrono::duration_cast<std::chrono::milliseconds>(now_.time_since_epoch()) +
            static_cast<int>(number) * load.apart);
    send(number);
    at(now_ + std::chrono::milliseconds(16), [this, number] { tick(number); });
  }

  std::minstd_rand random_{4711};
  std::priority_queue<Event> events_;
  std::uint64_t next_event_ = 0;
  Clock::time_point now_{std::chrono::seconds(1003)};
  std::vector<std::unique_ptr<Sender>> senders_;
  std::deque<Request> at_shard_;
  std::size_t serving_ = 0;
  Tally tally_;
};

}  // namespace simulated
