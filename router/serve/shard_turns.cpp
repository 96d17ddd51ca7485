#include "router/serve/shard_turns.hpp"

#include <algorithm>
#include <utility>

#include "router/serve/deadline_wheel.hpp"

namespace router {
namespace {

// For how many times what a request may wait a line of several clients is a burst.
constexpr int kBurst = 12;
// Of those that are late, three are refused for each that is answered. A client that asks again at
// once, for as long as it is refused, would have the worker do nothing else: the others wait
// longer.
constexpr double kRefused = 3;
constexpr std::size_t kRefusedLeast = 8;  // in a tick
// A tick may be late; beyond that time it was not the requests that made it so.
constexpr auto kTickMost = 5 * DeadlineWheel::kTick;

}  // namespace

ShardTurns::ShardTurns(Turns& all, backends::Places places, turns::ShardWindow window)
    : all_(all), window_(window), queue_(all.ledger_), shared_(places.shared),
      paused_leave_(places.paused_leave),
      changes_leave_(places.changes_leave), places_{turns::PlaceQueue(places.streams),
                                                    turns::PlaceQueue(places.changes)} {
  all.shards_.push_back(*this);
}

std::size_t ShardTurns::waiting() const {
  std::size_t waiting = queue_.count();
  for (const turns::PlaceQueue& each : places_) waiting += each.count();
  return waiting;
}

bool ShardTurns::some_may_go_on() const {
  return (!queue_.empty() && !window_.full()) ||
         std::any_of(places_.begin(), places_.end(),
                     [](const turns::PlaceQueue& each) { return each.has_next(); });
}

void ShardTurns::Part::begin(ShardTurns& turns, std::size_t bytes) {
  turns_ = &turns;
  bytes_ = bytes;
  turns.bytes_ += bytes;
}

void ShardTurns::Part::begin(ShardTurns& turns, std::size_t bytes, Kind kind) {
  begin(turns, bytes);
  kind_ = kind;
  counted_ = Counted::under_way;
  noticed_ = turns.all_.ticked_;
  turns.under_way_.push_back(*this);
  if (turns.window_.sent()) sent_ = Clock::now();
}

void ShardTurns::Part::begin(ShardTurns& turns, std::size_t bytes, Long kind, const void* client) {
  begin(turns, bytes);
  places_ = &turns.places(kind);
  client_ = client;
  places_->take(client);
  if (kind != Long::change || !turns.changes_leave_) return;
  noticed_ = turns.all_.ticked_;
  turns.changes_.push_back(*this);
}

void ShardTurns::Part::put_aside() {
  if (places_ == nullptr || std::exchange(aside_, true)) return;
  places_->put_aside();
  turns_->all_.may_go_on(*turns_);
}

void ShardTurns::Part::pause() {
  if (turns_ != nullptr && turns_->paused_leave_) put_aside();
}

void ShardTurns::Part::go_on() {
  if (places_ != nullptr && std::exchange(aside_, false)) places_->go_on();
}

void ShardTurns::Part::leave_place() {
  if (places_ == nullptr) return;
  if (is_linked()) unlink();
  std::exchange(places_, nullptr)->give_back(client_, std::exchange(aside_, false));
  turns_->all_.may_go_on(*turns_);
}

void ShardTurns::Part::end(bool answered) {
  if (turns_ == nullptr) return;
  leave_place();
  ShardTurns& turns = *std::exchange(turns_, nullptr);
  turns.bytes_ -= bytes_;
  const Counted counted = std::exchange(counted_, Counted::no);
  const Clock::time_point sent = std::exchange(sent_, Clock::time_point());
  const bool timed = answered && sent != Clock::time_point();
  turns::ShardWindow& window = turns.window_;
  switch (counted) {
    case Counted::no: return;
    case Counted::under_way:
      unlink();
      if (timed)
        window.answered(kind_, sent, Clock::now());
      else if (answered)
        window.answered(kind_);
      else
        window.forgotten();
      break;
    case Counted::stuck:
      if (timed)
        window.stuck_answered(kind_, sent, Clock::now());
      else
        window.stuck_ended();
      break;
  }
  turns.all_.may_go_on(turns);
}

void ShardTurns::find_stuck(Clock::time_point now) {
  while (!under_way_.empty() && now - under_way_.front().noticed_ >= window_.stuck_after()) {
    Part& oldest = under_way_.front();
    oldest.unlink();
    oldest.counted_ = Part::Counted::stuck;
    window_.got_stuck();
  }
}

void ShardTurns::leave_places(Clock::time_point now) {
  while (!changes_.empty() && now - changes_.front().noticed_ >= *changes_leave_) {
    Part& oldest = changes_.front();
    oldest.unlink();
    oldest.put_aside();
  }
}

void Turns::may_go_on(ShardTurns& turns) {
  if (!turns.some_may_go_on() || turns.due_.is_linked()) return;
  due_.push_back(turns);
  if (std::exchange(scheduled_, true)) return;
  if (schedule_ != nullptr) schedule_(worker_);
}

void Turns::wait(Waiting& request, ShardTurns& at, const void* client, std::size_t bytes) {
  const Clock::time_point now = Clock::now();
  if (at.queue_.clients() <= 1) at.unshared_last_ = now;
  at.window_.waited();
  at.queue_.add(request, client, bytes, now);
  request.at_ = &at;
  ++waiting_;
  may_go_on(at);
}

void Turns::wait(Waiting& request, ShardTurns& at, const void* client, ShardTurns::Long kind) {
  request.for_place_ = &at.places(kind);
  request.for_place_->add(request, client, Clock::now());
  request.at_ = &at;
  ++waiting_;
  may_go_on(at);
}

void Turns::left(ShardTurns& at) {
  --waiting_;
  if (at.queue_.clients() <= 1) at.unshared_last_ = Clock::now();
}

void Turns::leave(Waiting& request) {
  ShardTurns& at = *std::exchange(request.at_, nullptr);
  if (turns::PlaceQueue* places = std::exchange(request.for_place_, nullptr)) {
    places->remove(request);
    --waiting_;
    return may_go_on(at);
  }
  at.queue_.remove(request);
  left(at);
}

std::chrono::milliseconds Turns::patience(const ShardTurns& at) const {
  return std::max(wait_max_,
                  std::chrono::duration_cast<std::chrono::milliseconds>(at.window_.few_take()));
}

void Turns::run(ShardTurns& at) {
  while (!at.window_.full()) {
    auto* next = static_cast<Waiting*>(at.queue_.next());
    if (next == nullptr) break;
    next->at_ = nullptr;
    left(at);
    next->turn_has_come();
  }
  for (turns::PlaceQueue& places : at.places_) {
    while (auto* next = static_cast<Waiting*>(places.next())) {
      next->at_ = nullptr;
      next->for_place_ = nullptr;
      --waiting_;
      next->turn_has_come();
    }
  }
}

void Turns::refuse_late(ShardTurns& at, Clock::time_point now, Clock::duration since_last) {
  const auto patient = patience(at);
  if (at.queue_.clients() <= 1 || now - at.unshared_last_ <= kBurst * patient) return;
  turns::Entries late;
  const double answered = at.window_.rate() * std::chrono::duration<double>(since_last).count();
  const auto most = std::max(kRefusedLeast, static_cast<std::size_t>(kRefused * answered));
  // A client's only one is sent next: where it waits for long, the window looks, and has few there.
  const auto alone = at.window_.looks() ? patient * kBurst : patient * 11 / 10;
  at.queue_.take_late(now - patient, now - alone, most, late);
  while (!late.empty()) {
    auto& each = static_cast<Waiting&>(late.front());
    leave(each);
    each.turn_is_late(
        std::chrono::duration_cast<std::chrono::milliseconds>(now - each.waits_since()));
  }
}

void Turns::run() {
  scheduled_ = false;
  Due due;  // what becomes due meanwhile has the next turn of the loop
  due.swap(due_);
  while (!due.empty()) {
    ShardTurns& at = due.front();
    due.pop_front();
    run(at);
  }
}

void Turns::look_at_gate() {
  const auto look = [](turns::Entry& entry) { static_cast<Waiting&>(entry).gate_has_changed(); };
  for (ShardTurns& at : shards_) {
    at.queue_.for_each(look);
    for (turns::PlaceQueue& places : at.places_) places.for_each(look);
  }
}

void Turns::leave_retired() {
  const auto leave = [](turns::Entry& entry) { static_cast<Waiting&>(entry).shard_has_left(); };
  for (ShardTurns& at : shards_) {
    if (!at.retired_) continue;
    at.queue_.for_each(leave);
    for (turns::PlaceQueue& places : at.places_) places.for_each(leave);
  }
}

void Turns::tick(Clock::time_point now, std::chrono::nanoseconds lag,
                 std::chrono::milliseconds wall) {
  const auto since_last = std::min<Clock::duration>(now - std::exchange(ticked_, now), kTickMost);
  for (ShardTurns& at : shards_) {
    at.find_stuck(now);
    at.window_.tick(now, lag, wall);
    at.leave_places(now);
    if (!at.queue_.empty()) {
      at.queue_.look_at_ledger();
      if (wait_max_.count() > 0) refuse_late(at, now, since_last);
    }
    may_go_on(at);
  }
}

}  // namespace router
