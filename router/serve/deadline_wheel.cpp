#include "router/serve/deadline_wheel.hpp"

#include <algorithm>

namespace router {

DeadlineWheel::Entry::~Entry() {
  if (wheel_ != nullptr) wheel_->disarm(*this);
}

DeadlineWheel::DeadlineWheel(Clock::time_point now) : start_(now) {
  for (Head& head : slots_) head.next_ = head.previous_ = &head;
  due_.next_ = due_.previous_ = &due_;
}

std::size_t DeadlineWheel::tick_of(Clock::time_point when) const {
  return static_cast<std::size_t>(std::max(when - start_, Clock::duration{}) / kTick);
}

void DeadlineWheel::link(Entry& entry, Entry& head) {
  entry.previous_ = head.previous_;
  entry.next_ = &head;
  head.previous_->next_ = &entry;
  head.previous_ = &entry;
}

void DeadlineWheel::unlink(Entry& entry) {
  entry.previous_->next_ = entry.next_;
  entry.next_->previous_ = entry.previous_;
  entry.next_ = entry.previous_ = nullptr;
}

void DeadlineWheel::arm(Entry& entry, Clock::time_point when) {
  disarm(entry);
  entry.when_ = when;
  entry.wheel_ = this;
  ++armed_;
  link(entry, slots_[std::max(tick_of(when), swept_ticks_) % kSlots]);
}

void DeadlineWheel::disarm(Entry& entry) {
  if (!entry.armed()) return;
  unlink(entry);
  entry.wheel_ = nullptr;
  --armed_;
}

void DeadlineWheel::sweep(std::size_t slot, Clock::time_point now) {
  Entry& head = slots_[slot];
  for (Entry* entry = head.next_; entry != &head;) {
    Entry* next = entry->next_;
    if (entry->when_ <= now) {
      unlink(*entry);
      link(*entry, due_);
    }
    entry = next;
  }
}

void DeadlineWheel::advance(Clock::time_point now) {
  // The tick of `now` itself is not over: it is swept again by the next call.
  const std::size_t now_tick = tick_of(now);
  const std::size_t from = now_tick - swept_ticks_ >= kSlots ? now_tick + 1 - kSlots : swept_ticks_;
  for (std::size_t tick = from; tick <= now_tick; ++tick) sweep(tick % kSlots, now);
  swept_ticks_ = now_tick;

  while (due_.next_ != &due_) {
    Entry& entry = *due_.next_;
    disarm(entry);
    entry.on_deadline();
  }
}

}  // namespace router
