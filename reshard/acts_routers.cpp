// What a coordinator says to routers, and asks them.
#include <algorithm>
#include <cstdio>
#include <thread>

#include "reshard/executor.hpp"
#include "reshard/table_version.hpp"
#include "reshard/taken.hpp"

namespace reshard {
namespace {

using backends::postgres::Rows;

constexpr std::chrono::seconds kPrepareWithin{60};
constexpr std::chrono::milliseconds kVerdict{100};  ///< for a server's word that it took too long
constexpr std::chrono::milliseconds kActivatePoll{20};
constexpr std::chrono::milliseconds kAnswerLeast{200};  ///< a router that lives answers within it
constexpr int kBindingsMost = 10;
constexpr std::chrono::milliseconds kSettleWithin{300};

}  // namespace

/// Statements of routers that began so long ago, and are under way.
std::uint64_t Executor::statements_before(Database& side, std::chrono::milliseconds ago) {
  const Rows rows = side.apply().run(
      "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "
      "application_name LIKE 'moray-router %' AND application_name NOT LIKE 'moray-router reshard "
      "%' AND state <> 'idle' AND query_start < clock_timestamp() - $1::float8 * interval '1 ms'",
      {std::to_string(ago.count())});
  return std::stoull(rows.string(0, 0));
}

/// By rings older than that which the router has: as it says itself, or, where many are asked as
/// one, by what the database knows.
std::uint64_t Executor::reads_before(Database& side, const Ownership& router, std::uint64_t said) {
  if (!router.since) return said;
  return statements_before(
      side, std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - *router.since));
}

/// What a coordinator before this one, or this one while a fleet's service was away, has left open
/// there is closed as the plan's row says. Within a cutover each act does its part of that.
void Executor::settle(Act act) {
  const bool before = (act > Act::take_over && act < Act::prepare) || act == Act::abort_plan ||
                      act == Act::clean_target;
  const bool after = act >= Act::soak && act <= Act::end_cleanup;
  if (before || after) static_cast<void>(routers_.settled(after, kSettleWithin));
}

/// Before a guard is made, or rows are deleted, at a side: no router's ring gives it a vnode of the
/// plan, and no read is under way there by a ring that did. Throws Waiting, or Stuck where it is
/// the owner. Returns whether it owns no vnode at all.
bool Executor::require_not_owned(Database& side) {
  bool owns_none = true;
  for (const Ownership& each : routers_.ownership(side.side().pnode, kRouterLimit)) {
    const std::string named = "router " + each.router;
    if (!each.problem.empty()) throw Waiting(named + " does not answer: " + each.problem);
    if (!each.none)
      throw Stuck(named + " gives vnodes of the plan to " + side.side().pnode + ", the " +
                  side.role_name() + " of the plan: nothing is deleted or guarded there");
    if (const auto reads = reads_before(side, each, each.reads); reads > 0)
      throw Waiting(named + ": " + std::to_string(reads) + " reads are under way at " +
                    side.side().pnode + " by an older ring");
    owns_none = owns_none && each.pnode_vnodes == 0;
  }
  return owns_none;
}

/// The same before the cleanup. A router that says nothing has served nobody by the older ring
/// since its lease ran out: what it had sent before that is waited for at the source itself.
void Executor::require_left() {
  const auto leases_ended = committed_.value_or(Clock::now()) +
                            std::chrono::milliseconds(plan_.options.lease_ms) + kLeaseMargin;
  for (const Ownership& each : routers_.ownership(plan_.from.pnode, kRouterLimit)) {
    const std::string named = "router " + each.router;
    if (!each.none && (each.problem.empty() || each.in_fleet))
      throw Stuck(named + " gives vnodes of the plan to the source: they are not deleted there");
    if (each.problem.empty()) {
      if (const auto reads = reads_before(source_, each, each.reads); reads > 0)
        throw Waiting(named + ": " + std::to_string(reads) +
                      " reads are under way at the source by an older ring");
      continue;
    }
    const auto ago =
        std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - leases_ended);
    if (ago < std::chrono::milliseconds(0))
      throw Waiting(named + " does not answer (" + each.problem +
                    "), and its lease has not run out");
    if (const auto left = statements_before(source_, ago); left > 0)
      throw Waiting(named + " does not answer (" + each.problem + "), and " + std::to_string(left) +
                    " statements of routers at the source are older than its lease");
  }
}

/// Shut gates are stood before here: what is written meanwhile is pumped, and compared. All routers
/// are asked, not a file: other plans and people change rings.
Outcome Executor::bind() {
  block_began_.reset();
  if (!gate_open("cutover")) {
    compare_written();
    rest();
    return Outcome::more;
  }
  BoundRings rings;
  try {
    rings = routers_.rehearse(kRouterLimit).rings;
  } catch (const Waiting&) {
    // A ring of this plan's that a router still holds, of an attempt whose end it did not see,
    // would keep it from becoming what the others are.
    drop_pending();
    compare_written();
    throw;
  } catch (const Stuck& moved) {
    throw Stuck(moved.what() + taken_by(source_.owner(), plan_.vnodes));
  }
  for (const Ownership& each : routers_.ownership(plan_.to.pnode, kRouterLimit)) {
    // By a ring older than both it would see a row on either side, or on none.
    for (Database* side : {&source_, &target_})
      if (const auto reads = reads_before(*side, each, each.older_reads); reads > 0)
        throw Waiting("router " + each.router + ": " + std::to_string(reads) +
                      " reads are under way by an older ring");
    if (ids_kept_ && each.pnode_vnodes > 0)
      throw Stuck("router " + each.router + ": the target owns " +
                  std::to_string(each.pnode_vnodes) +
                  " vnodes by now, and this plan's rows keep ids that theirs may have: abort this "
                  "plan, and plan again");
  }
  require_state(source_.bind("capturing", rings.before, rings.after), source_, "capturing");
  require_state(target_.bind("guarded", rings.before, rings.after), target_, "guarded");
  for (Database* each : {&source_, &target_}) flush(*each, "the rings of the cutover");
  state_.bound = rings;
  record("bound: ring " + rings.before + " becomes " + rings.after);
  return Outcome::done;
}

/// Everything that takes its time is done here, before anything is blocked.
Outcome Executor::prepare() {
  if (!routers_.prepare(state_.bound, kPrepareWithin)) {
    if (++rebound_ >= kBindingsMost)
      throw ActFailed("the ring of a router was changed " + std::to_string(rebound_) +
                      " times between its binding and its prepare");
    watcher_.event("a router's ring was changed since it was bound: it is bound again");
    return Outcome::unbound;
  }
  rebound_ = 0;
  read_serials();
  advance_sequences();
  compare_written();
  for (Database* each : {&source_, &target_})
    each->ready_for_block(plan_.options.max_block_ms, version_call(table_names(each->role())));
  routers_.renew(kRouterLimit);
  return Outcome::done;
}

Outcome Executor::block() {
  block_began_ = Clock::now();
  block_acts_.clear();
  for (Database* each : {&source_, &target_})
    each->answer_until(*block_began_ + std::chrono::milliseconds(plan_.options.max_block_ms) +
                       kVerdict);
  routers_.block(budget_left());
  return Outcome::done;
}

/// Others hold writes meanwhile, so that none that is silent is waited for beyond its lease.
Outcome Executor::activate() {
  const auto since = committed_.value_or(Clock::now());
  const auto limit = std::chrono::milliseconds(plan_.options.lease_ms) + kLeaseMargin;
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(since + limit - Clock::now());
    const auto patience = std::clamp(left, kAnswerLeast, std::chrono::milliseconds(kRouterLimit));
    const auto missing = routers_.activate(state_.bound, patience, true, [this] { confirm(); });
    figures_.behind(missing.size(), since);
    if (missing.empty()) return Outcome::done;
    const bool leased = std::none_of(missing.begin(), missing.end(),
                                     [](const RouterAnswer& each) { return each.unleased; });
    if (!leased) throw Waiting(missing.front().message);
    if (Clock::now() - since > limit) {
      for (const RouterAnswer& each : missing)
        watcher_.alarm("router " + each.router +
                       " has not taken the new ring, and its lease has run out: " + each.message);
      return Outcome::done;
    }
    std::this_thread::sleep_for(kActivatePoll);
  }
}

Outcome Executor::unblock() {
  const bool behind = state_.progress.act == Act::unblock;
  const auto begun = Clock::now();
  for (const std::string& problem : routers_.unblock(behind, kRouterLimit).problems)
    watcher_.alarm(problem);
  if (block_began_) {
    const auto now = Clock::now();
    const auto held = now - *block_began_;
    block_acts_.emplace_back(state_.progress.act, now - begun);
    figures_.held(held);
    block_began_.reset();
    const auto text = [](std::chrono::nanoseconds time) {
      char written[32];
      std::snprintf(written, sizeof written, "%.1f ms",
                    std::chrono::duration<double, std::milli>(time).count());
      return std::string(written);
    };
    std::string acts;
    for (const auto& [act, took] : block_acts_)
      acts += (acts.empty() ? "" : ", ") + std::string(to_string(act)) + " " + text(took);
    watcher_.event(std::string(behind ? "cut over: " : "cutover given up: ") +
                   "writes were held for " + text(held) + " (" + acts + ")");
  }
  unlimit();
  opened_ = true;
  if (behind) {
    flush(source_,
          "the commit");  // a router that heard of nothing goes by it, whoever is here then
    flush(target_, "its commit");
    target_.decide();
    flush(target_, "its commit");
    state_.soak_until.clear();
    try {
      hook("post_activate");
    } catch (const ActFailed& error) {
      watcher_.alarm(error.what());  // nothing that is done can be undone by it
    }
  }
  return Outcome::done;
}

Outcome Executor::drop_pending() {
  const Released released = routers_.abandon(kRouterLimit);
  undropped_ = released.unheard;
  for (const std::string& problem : released.problems) watcher_.alarm(problem);
  return Outcome::done;
}

}  // namespace reshard
