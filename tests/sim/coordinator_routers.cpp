// What coordinators tell routers, one a step.
#include "tests/sim/real_control.hpp"
#include "tests/sim/world.hpp"

namespace sim {

using reshard::Act;
using reshard::Outcome;

/// Before the commit a router that does not answer ends the attempt.
World::Answered World::tell_routers(Coordinator& coordinator) {
  const Act act = coordinator.progress.act;
  if (coordinator.router >= kRouters)
    return act == Act::unblock ? keep_target(coordinator) : Outcome::done;
  Router& router = routers_[static_cast<std::size_t>(coordinator.router)];
  const bool must_answer = act == Act::prepare || act == Act::block;
  if (reached(router)) {
    const Answered outcome = tell(router, coordinator);
    if (outcome && *outcome == Outcome::more) return std::nullopt;  // asked again
    if (outcome) return outcome;
  } else if (must_answer) {
    return ++coordinator.tries > 20 || chance(30) ? std::optional(Outcome::failed) : std::nullopt;
  }
  ++coordinator.router;
  if (coordinator.router < kRouters || act == Act::unblock) return std::nullopt;
  return Outcome::done;
}

/// Nobody else would make the mark again that the commit is decided.
World::Answered World::keep_target(Coordinator& coordinator) {
  const Mission& plan = mission(coordinator.mission);
  for (std::size_t side = 0; side < 2; ++side) {
    const Session& session = coordinator.sessions[side];
    const Database& database = this->database(plan.at[side]);
    if (session.cut || away(plan.at[side])) continue;
    if (session.open && database.transactions_ended != session.ended) return Outcome::failed;
    if (!database.flushed()) return std::nullopt;
    // No failover can take the target's commit back: routers may let others have the ring.
    PlanRow* row = side == 0 ? nullptr : this->database(plan.at[side]).plan(plan.number);
    if (row == nullptr || row->state != State::committed || row->decided) continue;
    row->decided = true;
    this->database(plan.at[side]).committed();
    return std::nullopt;  // until that, too, is flushed
  }
  return Outcome::done;
}

/// Nothing: it is done.
World::Answered World::tell(Router& router, Coordinator& coordinator) {
  Mission& plan = mission(coordinator.mission);
  const bool own = router.pending.plan == plan.number;
  switch (coordinator.progress.act) {
    case Act::prepare: {
      const bool late = hold(Rule::ring_bound_late);
      switch (prepare(router, coordinator, (late ? coordinator.bound : plan.base).digest())) {
        case Answer::done: plan.journal.elsewhere = 0; return std::nullopt;
        case Answer::refused: return Outcome::failed;
        case Answer::prepared: return late ? Outcome::unbound : Outcome::failed;
        case Answer::other_ring: break;
      }
      if (late) return Outcome::unbound;
      if (++plan.journal.elsewhere >= 5)
        violate(Wrong::closed, "five cutovers were refused, since the ring was changed");
      return Outcome::failed;
    }
    case Act::block: {
      if (!own || !router.staged || expired(router)) return Outcome::failed;
      if (older(router, coordinator, false)) return Outcome::failed;
      if (router.control == nullptr)
        router.blocked |= plan.vnodes;
      else if (!router.control->block(plan.vnodes, holder_of(plan.number, coordinator.epoch), now_))
        return Outcome::failed;
      for (int vnode = 0; vnode < kVnodes; ++vnode)
        if (has(plan.vnodes, vnode) && router.in_flight[static_cast<std::size_t>(vnode)] > 0)
          return ++coordinator.tries > 200 ? Outcome::failed : Outcome::more;
      return std::nullopt;
    }
    case Act::unblock:
    case Act::unblock_source:
      if (older(router, coordinator, false)) return std::nullopt;
      unblock(router, plan.vnodes);
      return std::nullopt;
    default:  // drop_pending
      if (own && !older(router, coordinator, false))
        abandon_as(router, plan.number, coordinator.epoch);
      return std::nullopt;
  }
}

/// All have the next ring, or no lease that was given before the commit lasts any more.
World::Answered World::wait_activated(Coordinator& coordinator) {
  bool all = true;
  for (Router& router : routers_) all = give(router, coordinator) && all;
  if (all || !hold(Rule::routers_left_before_target) || now_ - coordinator.since > kLease + kMargin)
    return Outcome::done;
  return std::nullopt;
}

/// Whether the router has the plan's vnodes where they belong.
bool World::give(Router& router, Coordinator& coordinator) {
  const Mission& plan = mission(coordinator.mission);
  const bool by_vnode = hold(Rule::after_commit_by_vnode);
  const Ring& base = hold(Rule::ring_bound_late) ? coordinator.bound : plan.base;
  const auto given = [&] {
    if (by_vnode) return (plan.vnodes & ~router.ring.owned_by(plan.to())) == 0;
    return router.ring == base.with(plan.vnodes, plan.to());
  };
  if (given()) return true;
  if (!router.up || router.deaf_until > now_ || (!calm() && chance(50))) return false;
  if (router.pending.plan == plan.number && router.staged) {
    if (older(router, coordinator, false)) return false;
    if (activate_as(router, coordinator)) return given();
  }
  if (prepare(router, coordinator, by_vnode ? 0 : base.digest()) == Answer::done) {
    if (router.control != nullptr)
      static_cast<void>(
          router.control->block(plan.vnodes, holder_of(plan.number, coordinator.epoch), now_));
    activate_as(router, coordinator);
  }
  return given();
}

bool World::activate_as(Router& router, const Coordinator& coordinator) {
  if (router.control == nullptr) {
    activate(router);
    return true;
  }
  return router.control->activate(holder_of(mission(coordinator.mission).number, coordinator.epoch),
                                  router.pending.next.digest(), now_);
}

}  // namespace sim
