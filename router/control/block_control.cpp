// Blocking writes to vnodes, and waiting for those that were on their way.
#include <algorithm>

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

void RingControl::block(BlockRequest request, Done<BlockReport> done) {
  auto waiting = std::make_shared<Waiting>(thread_.loop(), std::move(request), std::move(done));
  attempt<BlockReport>(waiting->done, [this, waiting] {
    const BlockRequest& wanted = waiting->request;
    if (wanted.vnodes.empty()) throw Refusal("bad_argument", "no vnodes are named");
    require_vnodes(ring(), wanted.vnodes);
    if (auto refusal = machine_.block(wanted.vnodes, wanted.mode, wanted.lease, lease_clock()))
      throw *std::move(refusal);
    waiting->began = std::chrono::steady_clock::now();
    BlockReport& report = waiting->report;
    report.vnodes = wanted.vnodes.size();
    report.mode = wanted.mode;
    report.waited = wanted.wait;
    log_.info("vnodes blocked", {{"vnodes", report.vnodes},
                                 {"mode", wanted.mode == GateMode::hold ? "hold" : "refuse"}});
    publish([this, waiting](const Published& published) { block_published(waiting, published); });
  });
}

void RingControl::block_published(const std::shared_ptr<Waiting>& waiting,
                                  const Published& published) {
  waiting->report.published = published;
  if (!published.missing.empty() || !waiting->request.wait)
    return telling<BlockReport>(waiting->done, waiting->report, nullptr)(published);
  await_writes(waiting);
}

/// As a block, by the gate that the fleet's member goes by.
void RingControl::fleet_drain(FleetGate gate, ring::VnodeSet vnodes, Done<BlockReport> done) {
  BlockRequest request;
  request.vnodes = std::move(vnodes);
  request.wait = true;
  auto waiting = std::make_shared<Waiting>(thread_.loop(), std::move(request), std::move(done));
  attempt<BlockReport>(waiting->done, [this, waiting, gate = std::move(gate)] {
    waiting->began = std::chrono::steady_clock::now();
    waiting->report.vnodes = waiting->request.vnodes.size();
    waiting->report.waited = true;
    follow_fleet(
        gate, [this, waiting](const Published& published) { block_published(waiting, published); });
  });
}

/// No worker starts a write to these vnodes once it has acknowledged the gate, and what we post to
/// it now comes after that: the leases that it counts are all there will be, until an unblock.
void RingControl::await_writes(const std::shared_ptr<Waiting>& waiting) {
  waiting->scope =
      std::make_shared<const LeaseScope>(LeaseScope::of(ring(), waiting->request.vnodes));
  waiting->workers_left = workers_.size();
  waiting->timer.expires_after(waiting->request.wait_max);
  waiting->timer.async_wait([waiting](const boost::system::error_code& error) {
    if (!error) waiting->tell();  // not drained
  });
  for (const auto& worker : workers_)
    worker->await_leases(waiting->scope, [this, waiting](LeasesEnded ended) {
      thread_.post([this, waiting, ended = std::move(ended)] {
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
  attempt<UnblockReport>(done, [this, done, vnodes = std::move(vnodes)] {
    if (vnodes) require_vnodes(ring(), *vnodes);
    UnblockReport report;
    report.vnodes = machine_.unblock(vnodes).size();
    const auto told = telling<UnblockReport>(
        done, report,
        [](UnblockReport& said, const Published& published) { said.published = published; });
    // What is open already may have been opened a moment ago.
    if (report.vnodes == 0) return publisher_.await(told);
    log_.info("vnodes unblocked", {{"vnodes", report.vnodes}});
    publish(told);
  });
}

}  // namespace router
