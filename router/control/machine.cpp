// Changes take turns; blocks and leases.
#include "router/control/machine.hpp"

#include <algorithm>
#include <utility>

namespace router {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr milliseconds kAskTargetAfter{1'000};
constexpr milliseconds kFailedAgain{1'000};
constexpr milliseconds kLeaseMargin{1'000};  // that coordinators wait after a silent router's lease

}  // namespace

std::vector<Ask> Machine::take() { return std::exchange(asks_, {}); }

// Changes take turns.

void Machine::submit(Change change, nanoseconds now) {
  if (queue_.size() >= kChangesMax) {
    asks_.emplace_back(ask::Refuse{
        std::move(change),
        Refusal("busy", std::to_string(kChangesMax) + " changes of the ring wait already")});
    return;
  }
  queue_.push_back(std::move(change));
  advance(now);
}

void Machine::advance(nanoseconds now, bool target_heard) {
  while (!under_way_ && !queue_.empty()) {
    if (!target_heard && waits_for_target(queue_.front())) return await_target();
    Change change = std::move(queue_.front());
    queue_.pop_front();
    const bool by_row = change.kind == Change::Kind::decided || change.kind == Change::Kind::ended;
    if (by_row && !about_pending(change, now)) continue;
    if (auto refusal = against(change, now)) {
      asks_.emplace_back(ask::Refuse{std::move(change), *std::move(refusal)});
    } else if (change.kind == Change::Kind::activate && pending_.ring() == nullptr) {
      asks_.emplace_back(ask::Unchanged{std::move(change)});
    } else if (change.kind == Change::Kind::abandon && gives_up_target(change)) {
      target_settled();
      asks_.emplace_back(ask::Unchanged{std::move(change)});
    } else {
      under_way_ = change;
      asks_.emplace_back(ask::Begin{std::move(change)});
    }
  }
}

/// The vnodes are open, so that their target should take writes by now: its own answer decides, and
/// what comes a moment after a cutover is not refused for that moment.
bool Machine::waits_for_target(const Change& change) const {
  const bool other_ring =
      change.kind == Change::Kind::edit || change.kind == Change::Kind::rollback ||
      change.kind == Change::Kind::prepare || change.kind == Change::Kind::rehearse;
  return other_ring && awaited_ &&
         gate_->held.united(gate_->refused).common(awaited_->vnodes).empty();
}

/// The plan's ring is in force, and a person has no hope that its target will ever say anything.
bool Machine::gives_up_target(const Change& change) const {
  return pending_.ring() == nullptr && awaited_ &&
         change.holder == Holder::parse(awaited_->token).token;
}

/// Of a change that a row asks for: a coordinator that is there says all.
bool Machine::about_pending(const Change& change, nanoseconds now) const {
  const PendingRing* ring = pending_.ring();
  return ring != nullptr && ring->token == change.holder && ring->digest == change.expect_digest &&
         !pending_.lease_runs(now);
}

std::optional<Refusal> Machine::against(const Change& change, nanoseconds now) const {
  switch (change.kind) {
    case Change::Kind::reload:  // of the same ring it may be, with the target's new address
    case Change::Kind::fleet: return pending_.against_change(change.what, now);
    case Change::Kind::edit:
    case Change::Kind::rollback:
      if (auto refusal = against_alone(change.what)) return refusal;
      if (auto refusal = pending_.against_change(change.what, now)) return refusal;
      return against_awaited(change.what);
    case Change::Kind::prepare:
    case Change::Kind::rehearse:
      if (auto refusal = against_alone(change.what)) return refusal;
      if (auto refusal = pending_.against_prepare(change.holder, now)) return refusal;
      if (awaited_ && Holder::parse(awaited_->token).token == Holder::parse(change.holder).token)
        return std::nullopt;
      return against_awaited(change.what);
    case Change::Kind::activate:
      // Asked again, or the plan's row was faster.
      if (pending_.ring() == nullptr && !change.expect_digest.empty() &&
          change.expect_digest == in_force_.digest)
        return std::nullopt;
      return pending_.against_holder(change.holder, now);
    case Change::Kind::abandon:
      if (gives_up_target(change)) return std::nullopt;
      return pending_.against_abandon(change.holder);
    case Change::Kind::decided:
    case Change::Kind::ended: break;
  }
  return std::nullopt;
}

/// A ring of its own would be another truth than the other routers'.
std::optional<Refusal> Machine::against_alone(const std::string& what) const {
  if (fleet_.empty()) return std::nullopt;
  return Refusal("fleet_member", what + ": this router is a member of fleet \"" + fleet_ +
                                     "\", which changes its ring at all routers together: "
                                     "`moray-router fleet` does it");
}

/// By a ring that is neither the one before the plan nor the one after it, finds leave the moved
/// rows out of both shards until the target's row is committed. Whether it is, its database alone
/// knows: vnodes may be unblocked by hand before.
std::optional<Refusal> Machine::against_awaited(const std::string& what) const {
  if (!awaited_) return std::nullopt;
  return Refusal("prepared", what + ": plan " + awaited_->plan + " has just moved vnodes, and \"" +
                                 awaited_->to +
                                 "\" has not said yet that it takes writes to them; `admin "
                                 "abandon` with the plan's token does not wait for that");
}

/// A block names vnodes: of a ring that hashes to others it would mean something else.
std::optional<Refusal> Machine::commit(std::uint32_t vnodes, const std::string& digest) {
  if (under_way_->kind == Change::Kind::reload && digest != in_force_.digest) {
    if (auto refusal = against_alone(under_way_->what)) return refusal;
    if (auto refusal = against_awaited(under_way_->what)) return refusal;
  }
  if (gate_->any() && vnodes != in_force_.vnodes)
    return Refusal("refused", "vnodes are blocked, and this ring has " + std::to_string(vnodes) +
                                  " vnodes instead of " + std::to_string(in_force_.vnodes) +
                                  "; unblock them first");
  committing_ = vnodes;
  return std::nullopt;
}

void Machine::ended(nanoseconds now) {
  const Change change = *std::exchange(under_way_, std::nullopt);
  committing_.reset();
  if (change.kind == Change::Kind::decided || change.kind == Change::Kind::ended)
    follow_at_ = now + kFailedAgain;
  advance(now);
}

/// The commit of a plan can't be taken back: what was blocked stays so until the target takes
/// writes.
void Machine::ended(RingFacts in_force, nanoseconds now) {
  const Change change = *std::exchange(under_way_, std::nullopt);
  committing_.reset();
  in_force_ = std::move(in_force);
  if (change.kind == Change::Kind::activate || change.kind == Change::Kind::decided) {
    const PendingRing ring = *pending_.ring();
    if (ring.of_plan()) hold_activated(ring);
    pending_.end();
    standing_.reset();
    follow_at_.reset();
    blocked_under_lease_ = {};  // they stay blocked, as any other
    serving_.reset();  // a worker that takes the ring late goes by the old one to the lease's end
    if (ring.of_plan()) {
      awaited_ = ring;
      // A coordinator that lives unblocks them, long before that.
      await_at_ = change.kind == Change::Kind::decided ? now : now + kAskTargetAfter;
    }
  }
  advance(now);
}

void Machine::ended(PendingRing staged, nanoseconds now) {
  under_way_.reset();
  pending_.stage(std::move(staged), now);
  standing_.reset();
  asked_early_ = expiry_told_ = false;
  follow_at_.reset();
  const PendingRing& ring = *pending_.ring();
  if (awaited_ && awaited_->token == ring.token) awaited_.reset();
  if (activated_ && Holder::parse(activated_->ring.token).token == Holder::parse(ring.token).token)
    // Its next coordinator is here, and what it finds held is held under its lease.
    blocked_under_lease_ =
        blocked_under_lease_.united(std::exchange(activated_, std::nullopt)->held);
  serve(ring, pending_.lease_end());
  advance(now);
}

/// A plan that backed out has told its routers to unblock; one that did not hear of it would refuse
/// these vnodes for good, with neither a lease nor a record by which it asks.
void Machine::ended_withdrawn(nanoseconds now) {
  const Change change = *std::exchange(under_way_, std::nullopt);
  const PendingRing ring = *pending_.ring();
  const ring::VnodeSet blocked = std::exchange(blocked_under_lease_, {});
  pending_.end();
  standing_.reset();
  follow_at_.reset();
  serve_freely();
  if (change.kind == Change::Kind::ended)
    open(ring.vnodes.united(blocked), "their plan has ended");
  else if (ring.of_plan())
    open(blocked, "their plan has abandoned its ring");
  advance(now);
}

// Blocks and leases.

void Machine::set_gate(Gate gate) { gate_ = std::make_shared<const Gate>(std::move(gate)); }

std::optional<Refusal> Machine::block(const ring::VnodeSet& vnodes, GateMode mode,
                                      const std::string& lease, nanoseconds now) {
  if (committing_ && *committing_ != in_force_.vnodes)
    return Refusal("busy", "a ring of " + std::to_string(*committing_) +
                               " vnodes comes into force at this moment; ask again");
  if (!lease.empty())
    if (auto refusal = pending_.against_holder(lease, now)) return refusal;
  Gate gate = *gate_;
  gate.held = mode == GateMode::hold ? gate.held.united(vnodes) : gate.held.without(vnodes);
  gate.refused =
      mode == GateMode::refuse ? gate.refused.united(vnodes) : gate.refused.without(vnodes);
  if (!lease.empty()) blocked_under_lease_ = blocked_under_lease_.united(vnodes);
  set_gate(std::move(gate));
  return std::nullopt;
}

ring::VnodeSet Machine::unblock(const std::optional<ring::VnodeSet>& vnodes) {
  Gate gate = *gate_;
  const ring::VnodeSet blocked = gate.held.united(gate.refused);
  ring::VnodeSet opened = vnodes ? blocked.common(*vnodes) : blocked;
  if (opened.empty()) return opened;
  gate.held = gate.held.without(opened);
  gate.refused = gate.refused.without(opened);
  blocked_under_lease_ = blocked_under_lease_.without(opened);
  if (activated_) activated_->held = activated_->held.without(opened);
  set_gate(std::move(gate));
  if (awaited_ && !opened.common(awaited_->vnodes).empty()) {
    ask_target_again_ = asking_target_;
    await_target();
  }
  return opened;
}

void Machine::open(const ring::VnodeSet& vnodes, const char* why) {
  const ring::VnodeSet opened = unblock(vnodes);
  if (!opened.empty()) asks_.emplace_back(ask::Opened{opened, why});
}

std::optional<Refusal> Machine::renew(const std::string& token, milliseconds lease,
                                      nanoseconds now) {
  if (auto refusal = pending_.against_holder(token, now)) return refusal;
  pending_.renew(now, lease);
  asked_early_ = false;
  if (serving_) serving_->until = pending_.lease_end();
  return std::nullopt;
}

/// A ring that was prepared by hand is no plan's, and nobody else gives its vnodes away.
void Machine::serve(const PendingRing& ring, nanoseconds until) {
  if (!ring.of_plan() || ring.vnodes.empty()) return serve_freely();
  if (ring.vnodes.ranges().back().last >= in_force_.vnodes) {
    asks_.emplace_back(
        ask::Tell{true, "a ring is prepared for vnodes that the ring in force lacks", ring});
    return serve_freely();
  }
  if (serving_ && serving_->vnodes != ring.vnodes) serve_freely();
  serving_ = Serving{ring.vnodes, until};
}

void Machine::serve_freely() {
  if (std::exchange(serving_, std::nullopt)) asks_.emplace_back(ask::ServeFreely{});
}

/// The clock alone releases nothing: writes that were held are refused, and the vnodes stay blocked
/// until somebody who knows what became of the plan unblocks them.
void Machine::lease_expired() {
  expiry_told_ = true;
  const ring::VnodeSet held = gate_->held.common(blocked_under_lease_);
  asks_.emplace_back(ask::LeaseExpired{*pending_.ring(), held.size()});
  follow();
  refuse(held);
}

/// What moves stays held where it was, for as long as a coordinator that lives may have to wait for
/// routers that are silent: that begins with its commit, which a running lease of this router's
/// is older than. Then it is refused, as it is at a lease's end.
void Machine::hold_activated(const PendingRing& ring) {
  const ring::VnodeSet held = gate_->held.common(blocked_under_lease_);
  if (held.empty()) return;
  Activated all{ring, held, pending_.lease_end() + ring.lease + kLeaseMargin};
  if (activated_) {  // of a plan whose target was given up
    all.held = all.held.united(activated_->held);
    all.until = std::max(all.until, activated_->until);
  }
  activated_ = std::move(all);
}

void Machine::refuse(const ring::VnodeSet& held) {
  if (held.empty()) return;
  Gate gate = *gate_;
  gate.held = gate.held.without(held);
  gate.refused = gate.refused.united(held);
  set_gate(std::move(gate));
}

}  // namespace router
