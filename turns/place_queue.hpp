#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <unordered_map>

#include "turns/entry.hpp"

namespace turns {

/// Requests that each have one of a few places for as long as they take, which nobody knows
/// beforehand, and those that wait for one; of several clients, each client's in the order in which
/// they came. Next is one of the clients that have fewest places; of those, the one whose last turn
/// is longest ago. Where there are three places or more, the last free one is for a client that has
/// none: one that asks for many at once, however long they take, leaves a way for the others. Pure:
/// no I/O, no clock. Lives on one thread.
class PlaceQueue {
 public:
  /// `places`: at least 1.
  explicit PlaceQueue(std::size_t places) : places_(places) {}
  PlaceQueue(const PlaceQueue&) = delete;
  PlaceQueue& operator=(const PlaceQueue&) = delete;

  /// A request of that client has no place now, or comes after others of it that wait. O(1).
  [[nodiscard]] bool must_wait(const void* client) const;
  /// To the end of its client's. O(log clients).
  void add(Entry& entry, const void* client, Entry::Clock::time_point now);
  /// It waits no longer. O(log clients).
  void remove(Entry& entry);
  /// Takes out the one whose turn it is, if there is a place for it, which it does not have yet; or
  /// null. O(log clients).
  Entry* next();
  [[nodiscard]] bool has_next() const;

  /// A request of that client has a place from now on, if need be beyond their number. O(log
  /// clients).
  void take(const void* client);
  /// It needs its place no more. `aside`: as `put_aside` left it.
  void give_back(const void* client, bool aside);
  /// It goes on when its client wants it to: others may have its place meanwhile. It still counts
  /// among those of its client. O(1).
  void put_aside() { --taken_; }
  void go_on() { ++taken_; }

  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] bool empty() const { return count_ == 0; }
  /// Calls `each` with every entry, each client's in order. It may remove that entry. O(count).
  template <typename Each>
  void for_each(Each each);

 private:
  struct Client {
    const void* name;
    Entries entries;
    std::size_t has = 0;     // places
    std::uint64_t last = 0;  // turn, or when it began to wait
  };
  /// Among those that wait: who is next comes first.
  struct IsBefore {
    bool operator()(const Client* one, const Client* other) const;
  };

  [[nodiscard]] bool has_room(std::size_t has) const;
  void settle(Client& client);

  std::size_t places_;
  std::size_t taken_ = 0;  // by those that are not aside
  std::size_t count_ = 0;
  std::uint64_t turn_ = 0;
  std::unordered_map<const void*, Client> clients_;  // that wait, or have a place
  std::set<Client*, IsBefore> waiting_;
};

template <typename Each>
void PlaceQueue::for_each(Each each) {
  for (auto next = clients_.begin(); next != clients_.end();) {
    Entries& entries = (next++)->second.entries;  // a client may go with its last entry
    for (std::size_t left = entries.size(); left > 0; --left) {
      Entry& entry = entries.front();
      entries.pop_front();
      entries.push_back(entry);
      each(entry);
    }
  }
}

}  // namespace turns
