// What becomes of a plan whose coordinator is silent: its row in the database says it.
#include <algorithm>
#include <utility>

#include "router/control/machine.hpp"

namespace router {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// Well below the margin that coordinators wait after a lease.
constexpr milliseconds kFollowEach{200};
constexpr milliseconds kOpenEach{1'000};
constexpr milliseconds kAskedEarly{2'000};  // before a lease's end
constexpr milliseconds kLeaseUnknown{500};  // of a record that does not say

/// So that reads need not wait for the answer after the lease's end.
milliseconds early(const PendingRing& ring) { return std::min(kAskedEarly, ring.lease / 2); }

}  // namespace

void Machine::found(PendingRing ring) {
  if (ring.lease <= milliseconds(0)) ring.lease = kLeaseUnknown;
  pending_.found(std::move(ring));
  serve(*pending_.ring(), nanoseconds(0));
  follow();
}

void Machine::found_in_force(PendingRing ring) {
  awaited_ = std::move(ring);
  await_at_ = nanoseconds(0);
}

void Machine::follow() {
  const PendingRing* ring = pending_.ring();
  if (ring == nullptr || !ring->of_plan() || following_) return;
  following_ = true;
  asks_.emplace_back(ask::Row{*ring});
}

/// What a row says holds from when it was asked for: a plan that had not been committed by then
/// leaves its vnodes where they are for a lease's time, since its coordinator counts that from the
/// commit.
void Machine::plan_said(const PendingRing& about, PlanStanding standing, nanoseconds asked,
                        nanoseconds now) {
  following_ = false;
  const PendingRing* ring = pending_.ring();
  if (ring == nullptr) return;
  // Another plan's answer, or one about another ring of this plan, says nothing of this.
  if (ring->token != about.token || ring->plan != about.plan || ring->digest != about.digest)
    return follow();
  const bool undecided = standing == PlanStanding::open || standing == PlanStanding::fenced;
  if (undecided && serving_) serving_->until = std::max(serving_->until, asked + ring->lease);
  if (!pending_.lease_runs(now)) plan_stands(standing, now);
}

void Machine::plan_stands(PlanStanding standing, nanoseconds now) {
  const PendingRing& ring = *pending_.ring();
  const bool news = standing_ != standing;
  standing_ = standing;
  switch (standing) {
    case PlanStanding::aborted: return follow_by_row(Change::Kind::ended, now);
    case PlanStanding::decided: return follow_by_row(Change::Kind::decided, now);
    case PlanStanding::open:
      follow_at_ = now + std::min(kOpenEach, ring.lease / 2);
      return open(ring.vnodes, "their plan has not fenced them");
    case PlanStanding::none:
    case PlanStanding::other_ring:
      if (news)
        asks_.emplace_back(ask::Tell{
            true,
            standing == PlanStanding::none
                ? "a plan's ring is pending here, and its database does not know the plan; its "
                  "vnodes are not served until its coordinator is back, or `admin abandon` is told "
                  "its token"
                : "a plan is decided with another ring than the one that is pending here; its "
                  "vnodes are not served until its coordinator gives them away",
            ring});
      follow_at_ = now + kOpenEach;
      return;
    case PlanStanding::unknown:
    case PlanStanding::fenced:
    case PlanStanding::committed: follow_at_ = now + kFollowEach; return;
  }
}

void Machine::follow_by_row(Change::Kind kind, nanoseconds now) {
  const PendingRing& ring = *pending_.ring();
  asks_.emplace_back(ask::Tell{
      false,
      kind == Change::Kind::decided
          ? "a plan of resharding is committed; its ring comes into force without its coordinator"
          : "a plan of resharding has ended; its ring is dropped",
      ring});
  queue_.push_back({0, kind, "plan " + ring.plan, ring.token, ring.digest});
  advance(now);
}

void Machine::await_target() {
  if (!awaited_ || asking_target_) return;
  asking_target_ = true;
  asks_.emplace_back(ask::Target{*awaited_});
}

void Machine::target_said(const PendingRing& about, bool open, nanoseconds now) {
  asking_target_ = false;
  const bool again = std::exchange(ask_target_again_, false);
  if (awaited_ && (awaited_->plan != about.plan || awaited_->token != about.token)) {
    await_target();
  } else if (awaited_ && open) {
    const ring::VnodeSet moved = awaited_->vnodes;
    target_settled();
    this->open(moved, "their plan is done");
  } else if (awaited_ && again) {
    await_target();
  } else if (awaited_) {
    await_at_ = now + kFollowEach;
    return advance(now, true);
  }
  advance(now);
}

void Machine::target_settled() {
  awaited_.reset();
  await_at_.reset();
  asks_.emplace_back(ask::Settled{});
}

void Machine::tick(nanoseconds now) {
  if (pending_.staged() && !expiry_told_) {
    if (!pending_.lease_runs(now)) {
      lease_expired();
    } else if (!asked_early_ && now >= pending_.lease_end() - early(*pending_.ring())) {
      asked_early_ = true;
      follow();
    }
  }
  if (activated_ && now >= activated_->until) {
    const Activated overdue = *std::exchange(activated_, std::nullopt);
    const ring::VnodeSet held = gate_->held.common(overdue.held);
    if (!held.empty()) asks_.emplace_back(ask::Overdue{overdue.ring, held.size()});
    refuse(held);
  }
  if (follow_at_ && now >= *follow_at_) {
    follow_at_.reset();
    if (!pending_.lease_runs(now)) follow();
  }
  if (await_at_ && now >= *await_at_) {
    await_at_.reset();
    await_target();
  }
}

std::optional<nanoseconds> Machine::wake() const {
  std::optional<nanoseconds> at;
  const auto sooner = [&at](nanoseconds when) { at = at ? std::min(*at, when) : when; };
  if (pending_.staged() && !expiry_told_)
    sooner(pending_.lease_end() -
           (asked_early_ ? nanoseconds(0) : nanoseconds(early(*pending_.ring()))));
  if (follow_at_) sooner(*follow_at_);
  if (await_at_) sooner(*await_at_);
  if (activated_) sooner(activated_->until);
  return at;
}

}  // namespace router
