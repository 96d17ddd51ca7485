#include "router/serve/arriving_frames.hpp"

#include <algorithm>
#include <bit>
#include <utility>
#include <vector>

namespace router {
namespace {

constexpr std::size_t kLeastPerSecond = 1024;
constexpr std::size_t kAskedAtOnce = 64;
constexpr std::chrono::milliseconds kLookEach{100};
// A worker that was so late has read from nobody meanwhile: that is not its clients' time.
constexpr std::chrono::milliseconds kLate{1'500};

std::size_t times(std::size_t bytes, std::chrono::milliseconds part,
                  std::chrono::milliseconds whole) {
  return static_cast<std::size_t>(static_cast<double>(bytes) * static_cast<double>(part.count()) /
                                  static_cast<double>(std::max<std::int64_t>(1, whole.count())));
}

}  // namespace

ArrivingFrames::List& ArrivingFrames::waiting_like(std::size_t bytes) {
  const auto size = static_cast<std::size_t>(std::bit_width(bytes / kBytesMin));
  return waiting_[std::min(size, kSizes - 1)];
}

/// Of the bound, a thirty-second part is a small frame. One that is too large for all is granted
/// when no other is, in the whole process.
bool ArrivingFrames::fits(std::size_t bytes) const {
  const std::size_t most = bounds_.arriving.bytes_max(), free = bounds_.arriving.free();
  if (bounds_.arriving.used() == 0) return true;
  if (bytes > memory_.free() / 2) return false;
  return bytes <= most / 32 ? bytes <= free / 2 : bytes + most / 8 <= free;
}

bool ArrivingFrames::grant(Holder& holder, Clock::time_point now) {
  if (!fits(holder.bytes_)) return false;
  bounds_.arriving.take_anyway(holder.bytes_);
  budget::Charge charge(memory_);
  if (!charge.grow(holder.bytes_)) {
    bounds_.arriving.give(holder.bytes_);
    return false;
  }
  unreserved(holder, 0);
  holder.charge_ = std::move(charge);
  holder.state_ = Holder::State::granted;
  holder.since_ = now;
  holder.arrived_ = 0;
  granted_.push_back(holder);
  ++granted_count_;
  return true;
}

bool ArrivingFrames::reserve(Holder& holder, std::size_t bytes, Clock::time_point now) {
  holder.bytes_ = bytes;
  List& before = waiting_like(bytes);
  if (before.empty() && grant(holder, now)) return true;
  holder.state_ = Holder::State::waiting;
  holder.since_ = now;
  before.push_back(holder);
  to_ask_.push_back(holder);
  ++waiting_count_;
  return false;
}

void ArrivingFrames::drop(Holder& holder) {
  holder.place_.unlink();
  if (std::exchange(holder.state_, Holder::State::none) == Holder::State::waiting) {
    holder.asking_.unlink();
    --waiting_count_;
    return;
  }
  --granted_count_;
  bounds_.arriving.give(holder.bytes_);
  holder.charge_ = {};
}

void ArrivingFrames::unreserved(Holder& holder, std::size_t bytes) {
  if (bytes > holder.unreserved_)
    bounds_.begun.take_anyway(bytes - holder.unreserved_);
  else
    bounds_.begun.give(holder.unreserved_ - bytes);
  holder.unreserved_ = bytes;
  if (holder.charge_.bytes() == 0) holder.charge_ = budget::Charge(memory_);
  holder.charge_.set(bytes);
}

void ArrivingFrames::release(Holder& holder, Clock::time_point now) {
  if (holder.unreserved_ > 0) unreserved(holder, 0);
  if (holder.state_ == Holder::State::none) return;
  drop(holder);
  grant_waiting(now);
}

/// The first of each size, the one that has waited longest before the others. Who is granted only
/// begins to read again, and calls nothing here.
void ArrivingFrames::grant_waiting(Clock::time_point now) {
  std::array<Holder*, kSizes> firsts;
  while (waiting_count_ > 0) {
    std::size_t count = 0;
    for (List& list : waiting_)
      if (!list.empty()) firsts[count++] = &list.front();
    std::sort(firsts.begin(), firsts.begin() + count,
              [](const Holder* a, const Holder* b) { return a->since_ < b->since_; });
    bool any = false;
    for (std::size_t i = 0; i < count; ++i) {
      Holder& first = *firsts[i];
      first.place_.unlink();
      if (grant(first, now)) {
        first.asking_.unlink();
        --waiting_count_;
        any = true;
        first.frame_granted();
      } else {
        waiting_like(first.bytes_).push_front(first);
      }
    }
    if (!any) return;
  }
}

bool ArrivingFrames::stalls(const Holder& holder, Clock::time_point now) const {
  const auto window = std::chrono::duration_cast<std::chrono::milliseconds>(now - holder.since_);
  if (window >= stall_max_)
    return holder.arrived_ < times(kLeastPerSecond, window, std::chrono::seconds(1));
  return waiting_count_ > 0 && window >= std::min(kWindow, stall_max_) &&
         holder.arrived_ < times(holder.bytes_, window, stall_max_);
}

void ArrivingFrames::cut_stalled(Clock::time_point now) {
  std::vector<Holder*> stalled;
  for (Holder& holder : granted_) {
    if (!holder.frame_is_read()) {
      holder.since_ = now;
      holder.arrived_ = 0;
    } else if (stalls(holder, now)) {
      if (!holder.input_waits()) stalled.push_back(&holder);
    } else if (now - holder.since_ >= (waiting_count_ > 0 ? kWindow : stall_max_)) {
      holder.since_ = now;
      holder.arrived_ = 0;
    }
  }
  for (Holder* holder : stalled) holder->frame_stalled();
}

/// Nobody reads from them, so that their clients' end shows only to who asks. In turn.
void ArrivingFrames::ask_some() {
  std::vector<Holder*> gone;
  for (std::size_t i = std::min(kAskedAtOnce, waiting_count_); i > 0; --i) {
    Holder& next = to_ask_.front();
    to_ask_.pop_front();
    to_ask_.push_back(next);
    if (!next.frame_may_be_whole()) gone.push_back(&next);
  }
  for (Holder* holder : gone) holder->frame_stalled();
}

void ArrivingFrames::tick(Clock::time_point now) {
  if (waiting_count_ > 0) {
    ask_some();
    grant_waiting(now);
  }
  const Clock::duration gap = now - looked_;
  if (gap < kLookEach) return;
  looked_ = now;
  if (gap > kLate)
    for (Holder& holder : granted_) holder.since_ = std::min(now, holder.since_ + gap);
  cut_stalled(now);
}

}  // namespace router
