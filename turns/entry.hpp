#pragma once

#include <chrono>
#include <cstddef>

#include <boost/intrusive/list.hpp>

namespace turns {

// By tag, since an entry may be in lists of others, too.
struct EntryTag;
using EntryHook =
    boost::intrusive::list_base_hook<boost::intrusive::tag<EntryTag>,
                                     boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

/// A request that may wait in one queue at a time. It takes itself out of a list of Entries when it
/// dies; of a queue it must have been removed.
class Entry : public EntryHook {
 public:
  using Clock = std::chrono::steady_clock;

  /// In a queue, or taken out as late and not yet looked at.
  [[nodiscard]] bool waits() const { return is_linked(); }
  [[nodiscard]] Clock::time_point waits_since() const { return since_; }

 protected:
  Entry() = default;
  ~Entry() = default;

 private:
  friend class FairQueue;
  friend class PlaceQueue;
  void* client_ = nullptr;  // what its queue knows of its client; null: it is in none
  std::size_t cost_ = 0;
  Clock::time_point since_{};
};

using Entries = boost::intrusive::list<Entry, boost::intrusive::base_hook<EntryHook>,
                                       boost::intrusive::constant_time_size<false>>;

/// Calls `each` with every entry of each client in that map, a client's in order. It may remove
/// that entry, and a client may go with its last one.
template <typename Clients, typename Each>
void for_each_entry(Clients& clients, Each each) {
  for (auto next = clients.begin(); next != clients.end();) {
    Entries& entries = (next++)->second.entries;
    for (std::size_t left = entries.size(); left > 0; --left) {
      Entry& entry = entries.front();
      entries.pop_front();
      entries.push_back(entry);
      each(entry);
    }
  }
}

}  // namespace turns
