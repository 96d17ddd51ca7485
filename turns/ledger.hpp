#pragma once

#include <cstddef>
#include <unordered_map>

namespace turns {

/// What each client has waiting, in all the queues that share it, as FairQueue counts costs: a
/// request's bytes, and 4 KiB for the request itself. Lives on one thread.
class Ledger {
 public:
  /// The client's account; it stays where it is until `leave`. Once for each queue in which it
  /// waits. O(1).
  std::size_t& enter(const void* client) {
    Account& account = accounts_[client];
    ++account.queues;
    return account.cost;
  }
  /// The client waits no longer in one of them. Once for each `enter`. O(1).
  void leave(const void* client) {
    const auto account = accounts_.find(client);
    if (--account->second.queues == 0) accounts_.erase(account);
  }

 private:
  struct Account {
    std::size_t cost = 0;
    std::size_t queues = 0;
  };
  std::unordered_map<const void*, Account> accounts_;
};

}  // namespace turns
