// Blocking writes to vnodes, and waiting for those that were on their way.
#include <algorithm>

#include <boost/asio/post.hpp>

#include "router/control/ring_control.hpp"
#include "router/log/log.hpp"

namespace router {

/// A block that waits. First for the workers, each of which says when its earlier writes have
/// ended; then, where writes were lost, for the grace.
struct RingControl::Waiting {
  Waiting(boost::asio::io_context& loop, BlockRequest request_, Done<BlockReport> done_)
      : request(std::move(request_)), done(std::move(done_)), timer(loop) {}

  BlockRequest request;
  Done<BlockReport> done;  // empty: told
  boost::asio::steady_timer timer;
  std::shared_ptr<const LeaseScope> scope;
  std::chrono::steady_clock::time_point began;
  std::size_t workers_left = 0;
  BlockReport report;

  void tell() {
    report.ended = std::chrono::steady_clock::now();
    report.wait = report.ended - began;
    if (const auto call = std::exchange(done, nullptr)) call(report);
  }
};

/// A new gate for the ring in force.
Published RingControl::set_gate(Gate gate) {
  return set_snapshot(std::make_shared<const Gate>(std::move(gate)), snapshot().leased);
}

Published RingControl::set_snapshot(std::shared_ptr<const Gate> gate,
                                    std::shared_ptr<const LeasedVnodes> leased) {
  const Snapshot& now = snapshot();
  auto next = std::make_shared<Snapshot>(
      Snapshot::make(now.ring, now.settings, std::move(gate), std::move(leased)));
  next->generation = now.generation;
  next->sequence = now.sequence + 1;
  const bool any = next->gate->any();
  const Published published = publisher_.publish(std::shared_ptr<const Snapshot>(std::move(next)));
  update_status([&](ControlStatus& status) {
    if (!any)
      status.blocked_since.reset();
    else if (!status.blocked_since)
      status.blocked_since = std::chrono::system_clock::now();
  });
  return published;
}

void RingControl::block(BlockRequest request, Done<BlockReport> done) {
  auto waiting = std::make_shared<Waiting>(loop_, std::move(request), std::move(done));
  const auto begun = [this, waiting](Outcome<BlockReport> outcome) {
    if (std::holds_alternative<Refusal>(outcome) || !waiting->request.wait)
      return waiting->done(std::move(outcome));
    await_writes(waiting);
  };
  perform<BlockReport>(begun, [this, waiting] {
    const BlockRequest& wanted = waiting->request;
    if (wanted.vnodes.empty()) throw Refusal("bad_argument", "no vnodes are named");
    require_vnodes(*snapshot().ring, wanted.vnodes);
    if (!wanted.lease.empty()) require_holder(wanted.lease);
    Gate gate = *snapshot().gate;
    gate.held = wanted.mode == GateMode::hold ? gate.held.united(wanted.vnodes)
                                              : gate.held.without(wanted.vnodes);
    gate.refused = wanted.mode == GateMode::refuse ? gate.refused.united(wanted.vnodes)
                                                   : gate.refused.without(wanted.vnodes);
    if (!wanted.lease.empty()) blocked_under_lease_ = blocked_under_lease_.united(wanted.vnodes);
    waiting->began = std::chrono::steady_clock::now();
    BlockReport& report = waiting->report;
    report.vnodes = wanted.vnodes.size();
    report.mode = wanted.mode;
    report.waited = wanted.wait;
    report.published = set_gate(std::move(gate));
    log_.info("vnodes blocked", {{"vnodes", report.vnodes},
                                 {"mode", wanted.mode == GateMode::hold ? "hold" : "refuse"}});
    return report;
  });
}

/// No worker starts a write to these vnodes once it has acknowledged the gate, and what we post to
/// it now comes after that: the leases that it counts are all there will be, until an unblock.
void RingControl::await_writes(const std::shared_ptr<Waiting>& waiting) {
  waiting->scope =
      std::make_shared<const LeaseScope>(LeaseScope::of(*snapshot().ring, waiting->request.vnodes));
  waiting->workers_left = workers_.size();
  waiting->timer.expires_after(waiting->request.wait_max);
  waiting->timer.async_wait([waiting](const boost::system::error_code& error) {
    if (!error) waiting->tell();  // not drained
  });
  for (const auto& worker : workers_)
    worker->await_leases(waiting->scope, [this, waiting](LeasesEnded ended) {
      boost::asio::post(loop_, [this, waiting, ended = std::move(ended)] {
        waiting->report.waited_for += ended.waited_for;
        for (const IndeterminateWrite& lost : ended.indeterminate)
          waiting->report.indeterminate.push_back(lost);
        if (--waiting->workers_left == 0 && waiting->done) writes_ended(waiting);
      });
    });
}

void RingControl::writes_ended(const std::shared_ptr<Waiting>& waiting) {
  BlockReport& report = waiting->report;
  report.drained = true;
  const auto now = std::chrono::steady_clock::now();
  const auto settled = [&](const IndeterminateWrite& lost) {
    return waiting->request.grace > std::chrono::milliseconds(0) &&
           now - lost.lost >= waiting->request.grace;
  };
  const auto before = report.indeterminate.size();
  std::erase_if(report.indeterminate, settled);
  report.assumed_settled += before - report.indeterminate.size();
  if (report.indeterminate.empty() || waiting->request.grace <= std::chrono::milliseconds(0)) {
    waiting->timer.cancel();
    waiting->tell();
    return;
  }
  const auto youngest =
      std::max_element(report.indeterminate.begin(), report.indeterminate.end(),
                       [](const auto& a, const auto& b) { return a.lost < b.lost; });
  const auto limit = waiting->began + waiting->request.wait_max;
  const auto until = std::min(youngest->lost + waiting->request.grace, limit);
  waiting->timer.expires_at(until);
  waiting->timer.async_wait(
      [this, waiting, last = until == limit](const boost::system::error_code& error) {
        if (error) return;
        if (last)
          waiting->tell();
        else
          writes_ended(waiting);
      });
}

void RingControl::unblock(std::optional<ring::VnodeSet> vnodes, Done<UnblockReport> done) {
  perform<UnblockReport>(std::move(done), [this, vnodes = std::move(vnodes)] {
    Gate gate = *snapshot().gate;
    const ring::VnodeSet blocked = gate.held.united(gate.refused);
    if (vnodes) require_vnodes(*snapshot().ring, *vnodes);
    const ring::VnodeSet opened = vnodes ? blocked.common(*vnodes) : blocked;
    UnblockReport report;
    report.vnodes = opened.size();
    if (opened.empty()) return report;
    gate.held = gate.held.without(opened);
    gate.refused = gate.refused.without(opened);
    blocked_under_lease_ = blocked_under_lease_.without(opened);
    report.published = set_gate(std::move(gate));
    if (!awaits_target()) awaited_.reset();  // what is blocked later is another matter
    log_.info("vnodes unblocked", {{"vnodes", report.vnodes}});
    return report;
  });
}

}  // namespace router
