#include "router/serve/large_frames.hpp"

#include <algorithm>

namespace router {
namespace {

template <typename Reservations>
auto find_holder(Reservations& reservations, const LargeFrames::Holder& holder) {
  return std::find_if(reservations.begin(), reservations.end(),
                      [&](const auto& reservation) { return reservation.holder == &holder; });
}

}  // namespace

void LargeFrames::configure(std::size_t bytes_max, std::chrono::milliseconds stall_max) {
  bytes_max_ = bytes_max;
  stall_max_ = stall_max;
}

bool LargeFrames::reserve(Holder& holder, std::size_t bytes, Clock::time_point now) {
  if (!waiting_.empty() || !fits(bytes)) {
    waiting_.push_back({&holder, bytes, now});
    return false;
  }
  granted_.push_back({&holder, bytes, now});
  reserved_ += bytes;
  return true;
}

void LargeFrames::progressed(Holder& holder, Clock::time_point now) {
  if (const auto found = find_holder(granted_, holder); found != granted_.end())
    found->last_progress = now;
}

void LargeFrames::release(Holder& holder, Clock::time_point now) {
  if (const auto found = find_holder(granted_, holder); found != granted_.end()) {
    reserved_ -= found->bytes;
    granted_.erase(found);
  } else if (const auto queued = find_holder(waiting_, holder); queued != waiting_.end()) {
    waiting_.erase(queued);
  }
  // A granted holder only begins to read again; it calls nothing here.
  while (!waiting_.empty() && fits(waiting_.front().bytes)) {
    Reservation next = waiting_.front();
    waiting_.pop_front();
    next.last_progress = now;
    granted_.push_back(next);
    reserved_ += next.bytes;
    next.holder->large_frame_granted();
  }
}

void LargeFrames::cut_stalled(Clock::time_point now) {
  std::vector<Holder*> stalled;
  for (const Reservation& reservation : granted_)
    if (now - reservation.last_progress >= stall_max_) stalled.push_back(reservation.holder);
  for (Holder* holder : stalled) holder->large_frame_stalled();
}

}  // namespace router
