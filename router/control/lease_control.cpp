// What goes on under a coordinator's lease, and what becomes of it at the lease's end.
#include <algorithm>

#include "router/control/ring_control.hpp"
#include "router/log/log.hpp"

namespace router {
namespace {

constexpr std::chrono::milliseconds kLeaseLook{50};
constexpr std::chrono::milliseconds kAskedEarly{2'000};  ///< before a lease's end

}  // namespace

/// Requests to its vnodes are sent until then, as every worker knows when this returns: how many do
/// not. A ring that was prepared by hand is no plan's, and nobody else gives its vnodes away.
std::size_t RingControl::serve_under_lease(const PendingRing& ring,
                                           std::chrono::nanoseconds until) {
  const auto& now = snapshot().leased;
  const ring::VnodeSet none;
  const ring::VnodeSet& vnodes = ring.of_plan() ? ring.vnodes : none;
  if (!vnodes.empty() && vnodes.ranges().back().last >= snapshot().ring->vnode_count()) {
    log_.error("a ring is prepared for vnodes that the ring in force lacks", {{"plan", ring.plan}});
    return 0;
  }
  if (now != nullptr && now->vnodes == vnodes) {
    now->lease->set_end(until);
    return 0;
  }
  end_serving_lease();
  if (vnodes.empty()) return 0;
  return set_snapshot(snapshot().gate, LeasedVnodes::of(*snapshot().ring, vnodes, until)).missing;
}

/// What was planned under the lease, and waits still to be sent, may be sent whenever it can.
void RingControl::end_serving_lease() {
  if (snapshot().leased == nullptr) return;
  snapshot().leased->lease->set_end(std::chrono::nanoseconds::max());
  set_snapshot(snapshot().gate, nullptr);
}

void RingControl::watch_lease() {
  lease_timer_.expires_after(kLeaseLook);
  lease_timer_.async_wait([this](const boost::system::error_code& error) {
    if (error || !pending_.staged()) return;
    const auto now = lease_clock();
    if (!pending_.lease_runs(now)) return lease_expired();
    // Asked before the end, so that reads need not wait for the answer after it.
    const auto left = pending_.lease_left(now);
    if (!asked_early_ && left <= std::min(kAskedEarly, pending_.ring()->lease / 2)) {
      asked_early_ = true;
      follow_plan();
    }
    watch_lease();
  });
}

/// The clock alone releases nothing: writes that were held are refused, and the vnodes stay
/// blocked until somebody who knows what became of the plan unblocks them.
void RingControl::lease_expired() {
  const ring::VnodeSet held = snapshot().gate->held.common(blocked_under_lease_);
  log_.error(
      "a coordinator's lease has run out; its held vnodes refuse writes until they are unblocked",
      {{"generation", pending_.ring()->generation},
       {"plan", pending_.ring()->plan},
       {"vnodes", held.size()}});
  update_status([](ControlStatus& status) { ++status.leases_expired; });
  follow_plan();
  if (held.empty()) return;
  Gate gate = *snapshot().gate;
  gate.held = gate.held.without(held);
  gate.refused = gate.refused.united(held);
  set_gate(std::move(gate));
}

}  // namespace router
