#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>

namespace router {

/// The connections of a server that are bounded in number. One that is idle, between two requests,
/// makes room for a newcomer: the one that has been so for longest first. So nobody keeps others
/// out by connecting. Lives on one thread. O(guests) for a newcomer where all places are taken,
/// else O(log guests).
class Guests {
 public:
  /// Closes a guest's connection; called within `enter`. The guest is not counted any more.
  using Leave = std::function<void()>;
  using Place = std::uint64_t;

  explicit Guests(std::size_t most) : most_(most) {}

  /// Idle from now on. nullopt: all places are taken by guests that are busy.
  std::optional<Place> enter(Leave leave);
  void busy(Place place);
  void idle(Place place);
  /// Whether or not it had to.
  void left(Place place) { guests_.erase(place); }

  [[nodiscard]] std::size_t size() const { return guests_.size(); }
  [[nodiscard]] std::size_t most() const { return most_; }

 private:
  struct Guest {
    Leave leave;
    std::uint64_t idle_since = 0;  // by `moment_`; 0: busy
  };
  std::size_t most_;
  Place next_ = 1;
  std::uint64_t moment_ = 0;
  std::map<Place, Guest> guests_;
};

}  // namespace router
