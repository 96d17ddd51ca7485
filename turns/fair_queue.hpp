#pragma once

#include <array>
#include <cstddef>
#include <unordered_map>

#include <boost/intrusive/list.hpp>

#include "turns/entry.hpp"
#include "turns/ledger.hpp"

/// Who is next where not all can go at once. Pure: no I/O, no clock.
namespace turns {

/// Requests that wait for one place, of several clients, each client's in the order in which they
/// came. In three turns of four it is one of the clients that have least waiting, by requests and
/// bytes, here and, up to some times as much, in all queues of the same ledger: a client that asks
/// for little hardly waits, however much the others ask for at once, and wherever. In the fourth,
/// clients take turns by requests and bytes (deficit round robin): each goes on. Lives on one
/// thread.
class FairQueue {
  struct Flow;
  struct RoundTag;

 public:
  using Clock = Entry::Clock;

  /// `ledger` outlives it.
  explicit FairQueue(Ledger& ledger) : ledger_(ledger) {}
  FairQueue(const FairQueue&) = delete;
  FairQueue& operator=(const FairQueue&) = delete;

  [[nodiscard]] bool empty() const { return count_ == 0; }
  [[nodiscard]] std::size_t count() const { return count_; }
  /// That have something waiting.
  [[nodiscard]] std::size_t clients() const { return flows_.size(); }

  /// The client's last. `bytes`: of the request. O(1).
  void add(Entry& entry, const void* client, std::size_t bytes, Clock::time_point now);
  /// It waits no longer, wherever it is. O(1).
  void remove(Entry& entry);
  /// Takes out the one whose turn it is; null: none waits. O(1), amortized over bytes and clients.
  Entry* next();
  /// Takes account of what its clients have waiting elsewhere by now: call it at regular times.
  /// O(clients).
  void look_at_ledger();
  /// Moves those that came before `before` to `late`: the oldest ones of each client, about as many
  /// of each, and `most` in all. The only one of a client is late if it came before
  /// `alone_before`. O(clients + late).
  void take_late(Clock::time_point before, Clock::time_point alone_before, std::size_t most,
                 Entries& late);
  /// Calls `each` with every entry, each client's in order. It may remove that entry. O(count).
  template <typename Each>
  void for_each(Each each);

 private:
  using RoundHook =
      boost::intrusive::list_base_hook<boost::intrusive::tag<RoundTag>,
                                       boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

  /// What a client has waiting; there is none where that is nothing.
  struct Flow : EntryHook, RoundHook {
    const void* client = nullptr;
    Entries entries;
    std::size_t cost = 0;               // of all of them
    std::size_t* everywhere = nullptr;  // what the client has waiting, by the ledger
    std::ptrdiff_t credit[2] = {};      // in its lane, and in the round
    std::size_t lane = 0;
  };
  using Lane = boost::intrusive::list<Flow, boost::intrusive::base_hook<EntryHook>,
                                      boost::intrusive::constant_time_size<false>>;
  using Round = boost::intrusive::list<Flow, boost::intrusive::base_hook<RoundHook>,
                                       boost::intrusive::constant_time_size<false>>;

  template <typename List>
  static Flow& in_turn(List& flows, std::size_t credit);
  [[nodiscard]] static bool is_late(const Flow& flow, Clock::time_point before,
                                    Clock::time_point alone_before);
  void take(Flow& flow, Entry& entry);
  void settle(Flow& flow);

  Ledger& ledger_;
  std::unordered_map<const void*, Flow> flows_;
  std::array<Lane, 32> lanes_;  // by cost: of each, twice what the one before may have
  Round round_;
  std::size_t turn_ = 0;
  std::size_t count_ = 0;
};

template <typename Each>
void FairQueue::for_each(Each each) {
  for_each_entry(flows_, each);
}

}  // namespace turns
