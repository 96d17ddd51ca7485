#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/intrusive/list.hpp>

#include "ring/vnode_set.hpp"
#include "router/plan/snapshot.hpp"

namespace router {

/// A write on its way: from its submission to its shard's END or ERROR, whatever becomes of the
/// client. A member of what submits it.
class WriteLease : public boost::intrusive::list_base_hook<
                       boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  [[nodiscard]] bool running() const { return is_linked(); }

 private:
  friend class WriteLeases;
  std::optional<ring::Vnode> vnode_;  // nullopt: every vnode of the shard
  const std::string* pnode_ = nullptr;
  std::uint64_t sequence_ = 0;
};

/// Which writes a block must wait for: those to its vnodes, and those to their shards that name no
/// vnode.
struct LeaseScope {
  ring::VnodeSet vnodes;
  std::vector<std::string> pnodes;  ///< their owners

  static LeaseScope of(const ring::Ring& ring, ring::VnodeSet vnodes);
};

/// A write whose connection was lost before its answer: it may have been done, or be done still
/// (a moray was seen to commit seconds later).
struct IndeterminateWrite {
  std::optional<ring::Vnode> vnode;  ///< nullopt: any of the shard's
  std::string pnode;
  std::chrono::steady_clock::time_point lost;
};

/// One worker's writes in flight. Beginning and ending a lease is O(1) without memory; everything
/// else happens when an operator blocks vnodes. Lives on that worker.
class WriteLeases {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::minutes kRemembered{10};  ///< how long a lost write is told of
  static constexpr std::size_t kLostMax =
      4096;  ///< beyond, a write is remembered by its shard alone

  /// `pnode` must outlive the lease.
  void begin(WriteLease& lease, std::optional<ring::Vnode> vnode, const std::string& pnode);
  /// The shard has answered, or the write was never sent.
  void end(WriteLease& lease);
  /// The connection was lost first.
  void lose(WriteLease& lease, Clock::time_point now);

  /// Calls `done` when every lease of today within the scope has ended, perhaps at once. Leases
  /// that begin later are not waited for. The number waited for.
  std::size_t await(std::shared_ptr<const LeaseScope> scope, std::function<void()> done);
  [[nodiscard]] std::vector<IndeterminateWrite> indeterminate(const LeaseScope& scope,
                                                              Clock::time_point now) const;
  [[nodiscard]] std::size_t running() const { return running_; }

 private:
  struct Waiter {
    std::shared_ptr<const LeaseScope> scope;
    std::uint64_t before = 0;  // leases of this sequence or more began later
    std::size_t left = 0;
    std::function<void()> done;
  };
  static bool within(const LeaseScope& scope, std::optional<ring::Vnode> vnode,
                     const std::string& pnode);
  void tell_waiters(const WriteLease& lease);

  boost::intrusive::list<WriteLease, boost::intrusive::constant_time_size<false>> leases_;
  std::size_t running_ = 0;
  std::uint64_t next_sequence_ = 0;
  std::vector<Waiter> waiters_;
  std::deque<IndeterminateWrite> lost_;
};

}  // namespace router
