#include "router/serve/write_leases.hpp"

#include <algorithm>

namespace router {

LeaseScope LeaseScope::of(const ring::Ring& ring, ring::VnodeSet vnodes) {
  LeaseScope scope;
  std::vector<bool> owns(ring.pnodes().size());
  vnodes.each([&](ring::Vnode vnode) { owns[number(ring.owner(vnode))] = true; });
  for (std::size_t i = 0; i < owns.size(); ++i)
    if (owns[i]) scope.pnodes.push_back(ring.pnodes()[i]);
  scope.vnodes = std::move(vnodes);
  return scope;
}

bool WriteLeases::within(const LeaseScope& scope, std::optional<ring::Vnode> vnode,
                         const std::string& pnode) {
  if (vnode) return scope.vnodes.contains(*vnode);
  return std::find(scope.pnodes.begin(), scope.pnodes.end(), pnode) != scope.pnodes.end();
}

void WriteLeases::begin(WriteLease& lease, std::optional<ring::Vnode> vnode,
                        const std::string& pnode) {
  lease.vnode_ = vnode;
  lease.pnode_ = &pnode;
  lease.sequence_ = next_sequence_++;
  leases_.push_back(lease);
  ++running_;
}

void WriteLeases::end(WriteLease& lease) {
  if (!lease.running()) return;
  lease.unlink();
  --running_;
  if (!waiters_.empty()) tell_waiters(lease);
}

/// Remembered before anybody is told that the lease has ended.
void WriteLeases::lose(WriteLease& lease, Clock::time_point now) {
  if (!lease.running()) return;
  while (!lost_.empty() && now - lost_.front().lost > kRemembered) lost_.pop_front();
  if (lost_.size() < kLostMax) {
    lost_.push_back({lease.vnode_, *lease.pnode_, now});
  } else {
    const auto known = std::find_if(
        lost_.begin(), lost_.end(),
        [&](const IndeterminateWrite& each) { return !each.vnode && each.pnode == *lease.pnode_; });
    if (known != lost_.end()) lost_.erase(known);
    lost_.push_back({std::nullopt, *lease.pnode_, now});
  }
  end(lease);
}

void WriteLeases::tell_waiters(const WriteLease& lease) {
  for (Waiter& waiter : waiters_)
    if (lease.sequence_ < waiter.before && within(*waiter.scope, lease.vnode_, *lease.pnode_))
      --waiter.left;
  std::vector<std::function<void()>> done;  // may come back to us
  for (Waiter& waiter : waiters_)
    if (waiter.left == 0) done.push_back(std::move(waiter.done));
  std::erase_if(waiters_, [](const Waiter& waiter) { return waiter.left == 0; });
  for (const auto& call : done) call();
}

std::size_t WriteLeases::await(std::shared_ptr<const LeaseScope> scope,
                               std::function<void()> done) {
  const auto running = static_cast<std::size_t>(std::count_if(
      leases_.begin(), leases_.end(),
      [&](const WriteLease& lease) { return within(*scope, lease.vnode_, *lease.pnode_); }));
  if (running == 0)
    done();
  else
    waiters_.push_back({std::move(scope), next_sequence_, running, std::move(done)});
  return running;
}

std::vector<IndeterminateWrite> WriteLeases::indeterminate(const LeaseScope& scope,
                                                           Clock::time_point now) const {
  std::vector<IndeterminateWrite> found;
  for (const IndeterminateWrite& each : lost_)
    if (now - each.lost <= kRemembered && within(scope, each.vnode, each.pnode))
      found.push_back(each);
  return found;
}

}  // namespace router
