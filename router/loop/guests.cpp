#include "router/loop/guests.hpp"

#include <utility>

namespace router {

std::optional<Guests::Place> Guests::enter(Leave leave) {
  if (guests_.size() >= most_) {
    auto longest = guests_.end();
    for (auto each = guests_.begin(); each != guests_.end(); ++each)
      if (each->second.idle_since != 0 &&
          (longest == guests_.end() || each->second.idle_since < longest->second.idle_since))
        longest = each;
    if (longest == guests_.end()) return std::nullopt;
    const Leave left = std::move(longest->second.leave);
    guests_.erase(longest);
    left();
  }
  const Place place = next_++;
  guests_.emplace(place, Guest{std::move(leave), ++moment_});
  return place;
}

void Guests::busy(Place place) {
  if (const auto found = guests_.find(place); found != guests_.end()) found->second.idle_since = 0;
}

void Guests::idle(Place place) {
  if (const auto found = guests_.find(place); found != guests_.end())
    found->second.idle_since = ++moment_;
}

}  // namespace router
