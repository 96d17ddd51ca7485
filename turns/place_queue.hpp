#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <unordered_map>

#include "turns/entry.hpp"

namespace turns {

/// Requests that each have one of a few places for as long as they take, which nobody knows
/// beforehand, and those that wait for one; of several clients, each client's in the order in which
/// they came.
///
/// In three turns of four the next one is of a client that has fewest places; of several such
/// clients, of the one that has waited longest since it came or had a turn. Where there are three
/// places or more, the last free one is for a client that has none: one that asks for many at once,
/// however long they take, leaves a way for the others. In the fourth turn it is the client that
/// has waited longest, however many places it has, so that every client is served in time.
///
/// Pure: no I/O, no clock. Lives on one thread.
class PlaceQueue {
 public:
  /// `places`: at least 1.
  explicit PlaceQueue(std::size_t places) : places_(places) {}
  PlaceQueue(const PlaceQueue&) = delete;
  PlaceQueue& operator=(const PlaceQueue&) = delete;

  /// A request of that client has no place now, or others come before it. O(1).
  [[nodiscard]] bool must_wait(const void* client) const;
  /// The client's last. O(log clients).
  void add(Entry& entry, const void* client, Entry::Clock::time_point now);
  /// It waits no longer. O(log clients).
  void remove(Entry& entry);
  /// Takes out the one whose turn it is, if there is a place for it, which it does not have yet; or
  /// null. O(log clients).
  Entry* next();
  [[nodiscard]] bool has_next() const { return candidate() != nullptr; }

  /// A request of that client has a place from now on, if need be beyond their number. O(log
  /// clients).
  void take(const void* client);
  /// It needs its place no more. `aside`: `put_aside` was its last word. O(log clients).
  void give_back(const void* client, bool aside);
  /// Others may have its place until it goes on. It still counts among those of its client. O(1).
  void put_aside() { --taken_; }
  void go_on() { ++taken_; }

  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] bool empty() const { return count_ == 0; }
  /// Places that requests have, but for those put aside.
  [[nodiscard]] std::size_t taken() const { return taken_; }
  /// Calls `each` with every entry, each client's in order. It may remove that entry. O(count and
  /// clients).
  template <typename Each>
  void for_each(Each each);

 private:
  struct Client {
    const void* name = nullptr;
    Entries entries;
    std::size_t has = 0;     // places
    std::uint64_t last = 0;  // turn, or when it began to wait
  };
  struct HasFewer {
    bool operator()(const Client* one, const Client* other) const;
  };
  struct WaitsLonger {
    bool operator()(const Client* one, const Client* other) const {
      return one->last < other->last;
    }
  };

  [[nodiscard]] Client* candidate() const;
  [[nodiscard]] bool has_room(std::size_t has) const;
  void begin_waiting(Client& client);
  void stop_waiting(Client& client);
  void settle(Client& client);

  std::size_t places_;
  std::size_t taken_ = 0;
  std::size_t count_ = 0;
  std::size_t turns_ = 0;     // that were had
  std::uint64_t moment_ = 0;  // each has its own, so that no two clients are equal
  std::unordered_map<const void*, Client> clients_;  // that wait, or have a place
  std::set<Client*, HasFewer> by_places_;            // those that wait
  std::set<Client*, WaitsLonger> by_time_;           // the same
};

template <typename Each>
void PlaceQueue::for_each(Each each) {
  for_each_entry(clients_, each);
}

}  // namespace turns
