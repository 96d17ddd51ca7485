// What a coordinator does to take a cutover back, or to end a plan that is not cut over.
#include <thread>

#include "reshard/executor.hpp"

namespace reshard {
namespace {

constexpr std::chrono::seconds kBackOutWithin{2};
constexpr std::chrono::seconds kBarrierLimit{10};
constexpr std::chrono::milliseconds kEndBarrierPoll{5};

}  // namespace

/// By the source alone: while the target is gone, its vnodes are the source's as before. No act
/// leaves its session inside a transaction; where the session itself is lost, the next attempt
/// begins by taking over, again at the source alone.
Outcome Executor::back_out() {
  source_.answer_until(Clock::now() + kBackOutWithin);
  if (!source_.plan_row()) return Outcome::done;
  if (source_.set_state("'preparing', 'fenced'", "capturing",
                        "base_digest = NULL, ring_digest = NULL")) {
    state_.bound = {};
    return Outcome::done;
  }
  const auto row = source_.plan_row();
  if (row && row->state == "aborted") return Outcome::done;
  if (row && row->epoch != source_.epoch())
    throw NotCoordinator("another coordinator has taken over");
  return Outcome::committed;
}

/// Writers that were under way when a plan ended may still log: their entries are nobody's, and are
/// gone with the log if the writers end in time. If they don't, the plan is over all the same.
void Executor::end_log(Database& side) {
  const auto begun = Clock::now();
  while (!side.barrier_open()) {
    if (Clock::now() - begun > kBarrierLimit) {
      watcher_.alarm("what " + side.writers_named() +
                     ", will have written stays in the log of the plan, where it harms nobody");
      break;
    }
    std::this_thread::sleep_for(kEndBarrierPoll);
  }
  side.drop_log();
}

/// The source alone decides: where the target is gone for good, a plan ends all the same. The log
/// of a rollback is left to the plan that it would have taken back, whose soak goes on.
Outcome Executor::abort_plan() {
  const auto row = source_.plan_row();
  const bool ends = row && row->state != "aborted";
  if (ends) {
    if (row->state == "committed") return Outcome::committed;
    require_state(source_.set_state("'preparing', 'capturing'", "aborted"), source_, "capturing");
  }
  flush(source_, "the abort");
  // Once: by the next time another plan may have the vnodes, and log them here.
  if (ends && plan_.reverts == 0) end_log(source_);
  return Outcome::done;
}

/// Vnodes that some router's ring gives to the target: a person has, since a plan can't. Throws
/// Waiting where a router does not say, or reads of the others are under way there.
ring::VnodeSet Executor::owned_by_target(const ring::VnodeSet& vnodes) {
  ring::VnodeSet owned;
  const auto ask = [&](const ring::VnodeSet& asked, const auto& look) {
    for (const Ownership& each : routers_.ownership(plan_.to.pnode, asked, kRouterLimit)) {
      if (!each.problem.empty())
        throw Waiting("router " + each.router + " does not answer: " + each.problem);
      look(each);
    }
  };
  ask(vnodes, [&](const Ownership& each) { owned = owned.united(each.owned); });
  const ring::VnodeSet others = vnodes.without(owned);
  if (others.empty()) return owned;
  ask(others, [&](const Ownership& each) {
    if (!each.none) throw Waiting("router " + each.router + " has just taken another ring");
    if (const auto reads = reads_before(target_, each, each.reads); reads > 0)
      throw Waiting("router " + each.router + ": " + std::to_string(reads) +
                    " reads are under way at the target by an older ring");
  });
  return owned;
}

/// What was copied goes while the guard is still up, and only of vnodes that no router's ring gives
/// to the target. The others stay as they are, guarded, until a person has given them back; what is
/// cleaned may be another plan's meanwhile. A rollback's target keeps what it had.
Outcome Executor::clean_target() {
  const auto guard = target_.plan_row();
  if (guard && guard->state == "guarded") {
    ids_kept_ = guard->ids_kept;
    if (state_.progress.copies) {
      const ring::VnodeSet here = target_.members();
      const ring::VnodeSet owned = owned_by_target(here);
      drop_copied(here.without(owned));
      leave_tables_whole();
      if (!owned.empty()) {
        require_state(target_.leave_all_but(owned), target_, "guarded");
        throw Stuck("routers give vnodes of the plan to its target " + plan_.to.pnode +
                    ", which has an unfinished copy of them and refuses writes: " +
                    owned.to_text() + ". Give them back to " + plan_.from.pnode +
                    " (moray-router admin remap); then `reshard abort " + plan_.name() +
                    "` cleans them, as it has cleaned the others");
      }
    }
    require_state(target_.set_state("'guarded'", "aborted"), target_, "guarded");
  }
  flush(target_, "the abort");
  return Outcome::done;
}

}  // namespace reshard
