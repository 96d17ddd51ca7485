// Routers: leases, what they read of a plan's row, restarts, and what coordinators tell them.
#include <algorithm>

#include "tests/sim/real_control.hpp"
#include "tests/sim/world.hpp"

namespace sim {

long World::clock(const Router& router) const {
  return now_ + (hold(Rule::lease_by_boot_clock) ? 0 : router.jump);
}

bool World::expired(const Router& router) const {
  return router.leased && clock(router) > router.lease_until;
}

bool World::serves(const Router& router, Vnodes vnodes) const {
  if (!router.up) return false;
  if (fleet_) return member(router).serves(vnodes);
  return !router.holds_pending() || (router.pending.vnodes & vnodes) == 0 || !expired(router);
}

/// Blocked until the target is ready, which its guard would say, too.
void World::activate(Router& router) {
  router.ring = router.pending.next;
  router.blocked |= router.pending.vnodes;
  router.opening = router.pending;
  router.forget_pending();
}

/// The target takes writes.
void World::opened(Router& router) {
  router.blocked = static_cast<Vnodes>(router.blocked & ~router.opening.vnodes);
  router.opening = {};
}

/// Whether another plan, or an edit, has to wait.
bool World::taken(const Router& router, PlanId plan) const {
  if (hold(Rule::edits_await_target) && router.opening.plan != 0 && router.opening.plan != plan)
    return true;
  if (!router.holds_pending() || router.pending.plan == plan) return false;
  return hold(Rule::pending_outlives_lease) || (router.staged && !expired(router));
}

/// The row of the source, or none; `found` is false where nobody answers.
const PlanRow* World::asked(const Router& router) {
  return database(router.pending.from).plan(router.pending.plan);
}

void World::heard(Router& router, const PlanRow* row) {
  if (row == nullptr || row->state == State::aborted) {
    router.blocked = static_cast<Vnodes>(router.blocked & ~router.pending.vnodes);
    router.forget_pending();
    return;
  }
  const bool committed =
      row->state == State::committed || row->state == State::cleaning || row->state == State::done;
  if (committed) {
    if (row->state == State::committed && !row->decided && hold(Rule::routers_await_flush))
      return;  // no new lease either
    if (hold(Rule::pending_names_row_digest) && row->next != 0 &&
        row->next != router.pending.next.digest())
      return;
    activate(router);
    return;
  }
  if (row->state != State::fenced && expired(router))
    router.blocked = static_cast<Vnodes>(router.blocked & ~router.pending.vnodes);
  router.lease_until = (hold(Rule::lease_from_request) ? router.asked_at : clock(router)) + kLease;
}

void World::restart(Router& router) {
  router.up = true;
  router.blocked = 0;
  router.in_flight = {};
  router.renewal = Router::Renewal::none;
  if (fleet_) return member(router).start();
  if (router.control != nullptr) return restart_real(router);
  router.staged = false;
  router.leased = router.holds_pending();
  if (!router.holds_pending()) return;
  router.asked_at = clock(router);
  if (!hold(Rule::restarted_router_reads_plan)) {
    router.lease_until = router.asked_at + kLease;
    return;
  }
  router.lease_until = router.asked_at - 1;
  if (!away(router.pending.from)) heard(router, asked(router));
}

/// Before anybody is served it has read the row of what an earlier process has left.
void World::restart_real(Router& router) {
  router.control = std::make_shared<RealControl>(router, kLease, now_);
  if (!router.control->asks_row()) return;
  const bool answered = !away(router.pending.from);
  router.control->row_said(answered ? asked(router) : nullptr, answered, now_);
}

/// A question goes out, a database reads its row, the answer comes back: a step each.
void World::step_real(Router& router) {
  RealControl& control = *router.control;
  if (router.blocked != 0 && chance(1)) unblock(router, router.blocked);  // by hand
  const bool deaf = router.deaf_until > now_;
  if (control.asks_target() && !deaf && chance(20)) {
    const PlanRow* row = away(router.opening.to) || router.opening.plan == 0
                             ? nullptr
                             : database(router.opening.to).plan(router.opening.plan);
    control.target_said(row != nullptr && (row->decided || row->state == State::done), now_);
  }
  control.tick(now_);
  if (!control.asks_row()) {
    router.renewal = Router::Renewal::none;
    return;
  }
  switch (router.renewal) {
    case Router::Renewal::none:
      router.read_of = router.pending.plan;
      router.asked_at = router.pending.from;
      router.renewal = Router::Renewal::asked;
      return;
    case Router::Renewal::asked: {
      const auto where = static_cast<int>(router.asked_at);
      if (away(where)) {
        if (chance(20)) control.row_said(nullptr, false, now_);  // it asks again
        return;
      }
      if (deaf && !chance(30)) return;
      const PlanRow* row = database(where).plan(router.read_of);
      router.read_found = row != nullptr;
      if (row != nullptr) router.read = *row;
      router.renewal = Router::Renewal::read;
      return;
    }
    case Router::Renewal::read:
      if (deaf) return;
      router.renewal = Router::Renewal::none;
      control.row_said(router.read_found ? &router.read : nullptr, true, now_);
      return;
  }
}

void World::unblock(Router& router, Vnodes vnodes) {
  if (router.control != nullptr) return router.control->unblock(vnodes);
  router.blocked = static_cast<Vnodes>(router.blocked & ~vnodes);
}

void World::abandon_as(Router& router, PlanId plan, int epoch) {
  if (router.control != nullptr) return router.control->abandon(holder_of(plan, epoch), now_);
  router.abandon();
}

void World::step_router(Router& router) {
  if (fleet_) return step_member(router);
  if (!router.up) {
    if (chance(10) || calm()) restart(router);
    return;
  }
  if (scenario_.restarting_routers && !calm() && draws_.in_thousand(2)) {
    router.up = false;
    ++router.incarnation;
    last_fault_ = now_;
    return;
  }
  if (router.control != nullptr) return step_real(router);
  if (router.blocked != 0 && chance(1)) router.blocked = 0;  // by hand
  if (router.opening.plan != 0 && router.deaf_until <= now_ && !away(router.opening.to) &&
      chance(20)) {
    const PlanRow* target = database(router.opening.to).plan(router.opening.plan);
    if (target != nullptr && (target->decided || target->state == State::done)) opened(router);
  }
  if (!router.leased || !router.holds_pending()) return;
  // The answer to a question may be long on its way.
  if (router.deaf_until > now_ && !(router.renewal == Router::Renewal::asked && chance(30))) return;
  switch (router.renewal) {
    case Router::Renewal::none:
      if (!expired(router) && !chance(5)) return;
      router.asked_at = clock(router);
      router.read_of = router.pending.plan;
      router.renewal = Router::Renewal::asked;
      return;
    case Router::Renewal::asked: {
      if (away(router.pending.from)) return;
      const PlanRow* row = asked(router);
      router.read_found = row != nullptr;
      if (row != nullptr) router.read = *row;
      router.read_of = router.pending.plan;
      router.renewal = Router::Renewal::read;
      return;
    }
    case Router::Renewal::read:
      router.renewal = Router::Renewal::none;
      if (router.read_of == router.pending.plan || !hold(Rule::answer_names_plan))
        heard(router, router.read_found ? &router.read : nullptr);
      return;
  }
}

/// A command of a coordinator that was followed, or of a plan whose vnodes a newer one has had.
bool World::older(Router& router, const Coordinator& coordinator, bool notes) {
  const Mission& plan = mission(coordinator.mission);
  int& newest = router.newest_epoch[static_cast<std::size_t>(plan.number)];
  if (hold(Rule::holder_names_coordinator)) {
    if (coordinator.epoch < newest) return true;
    for (int vnode = 0; vnode < kVnodes; ++vnode)
      if (has(plan.vnodes, vnode) &&
          router.newest_plan[static_cast<std::size_t>(vnode)] > plan.number &&
          coordinator.progress.act == reshard::Act::activate)
        return true;
  }
  newest = std::max(newest, coordinator.epoch);
  if (notes)
    for (int vnode = 0; vnode < kVnodes; ++vnode)
      if (has(plan.vnodes, vnode))
        router.newest_plan[static_cast<std::size_t>(vnode)] = plan.number;
  return false;
}

/// `base`: 0 for a router that is given the vnodes after the commit, on whatever ring it is.
World::Answer World::prepare(Router& router, const Coordinator& coordinator, std::uint32_t base) {
  const Mission& plan = mission(coordinator.mission);
  RealControl* control = router.control.get();
  if (control != nullptr &&
      !control->begins_prepare(holder_of(plan.number, coordinator.epoch), now_))
    return Answer::prepared;
  const auto refuse = [&](Answer answer) {
    if (control != nullptr) control->failed(now_);
    return answer;
  };
  if (control == nullptr && taken(router, plan.number)) return Answer::prepared;
  if (!hold(Rule::check_before_withdraw)) router.forget_pending();
  if (base != 0 && base != router.ring.digest() && hold(Rule::prepare_names_ring))
    return refuse(Answer::other_ring);
  if (!calm() && chance(1)) return refuse(Answer::refused);  // its disk is full
  if (older(router, coordinator, true)) return refuse(Answer::refused);
  const Pending next{plan.number, coordinator.epoch, plan.vnodes,
                     plan.from(), plan.to(),         router.ring.with(plan.vnodes, plan.to())};
  if (control != nullptr) {
    control->staged(next, now_);
    return Answer::done;
  }
  router.pending = next;
  router.staged = true;
  router.leased = true;
  router.renewal = Router::Renewal::none;
  router.lease_until = clock(router) + kLease;
  return Answer::done;
}

}  // namespace sim
