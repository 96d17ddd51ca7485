#include "reshard/forget.hpp"

#include <optional>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "reshard/database.hpp"
#include "reshard/leftovers.hpp"
#include "reshard/records/plans.hpp"
#include "reshard/routers.hpp"
#include "reshard/schema.hpp"
#include "reshard/transaction.hpp"

namespace reshard {
namespace {

/// Vnodes that this plan's row at the source decides about: no newer plan there has them.
ring::VnodeSet fenced_by(Database& source) {
  return vnodes_in(source.owner().run(
      "SELECT v.vnode FROM moray_router.reshard_vnode v WHERE v.plan = $1::bigint AND NOT EXISTS "
      "(SELECT 1 FROM moray_router.reshard_vnode w JOIN moray_router.reshard_plan q ON q.plan = "
      "w.plan WHERE w.vnode = v.vnode AND q.plan > v.plan AND q.state <> 'aborted') ORDER BY 1",
      {std::to_string(source.number())}));
}

/// The fence is what stops a router that missed everything. Vnodes that a newer plan has brought
/// back, or that are forgotten already, have none by this plan.
void require_routers_left(Database& source, Routers& routers) {
  const ring::VnodeSet fenced = fenced_by(source);
  if (fenced.empty()) return;
  const std::string& pnode = source.side().pnode;
  for (const Ownership& each : routers.ownership(pnode, fenced, kRouterLimit)) {
    if (!each.problem.empty())
      throw std::runtime_error("router " + each.router +
                               " does not say which ring it is on: " + each.problem);
    if (!each.none)
      throw std::runtime_error("router " + each.router + " still gives vnodes of the plan to " +
                               pnode + ": what is left of the plan stops its writes there");
  }
}

/// Whether this plan's row is there: another plan under its number, of another directory of plans,
/// has nothing to do with it.
bool has_row(Database& database) {
  return database.owner()
             .run("SELECT 1 FROM moray_router.reshard_plan WHERE plan = $1::bigint AND token = $2",
                  {std::to_string(database.number()), database.plan().token})
             .count() > 0;
}

/// Older plans of these vnodes go with one that is done: the newest one decides, and they must not
/// be that again. Of other vnodes they stay, with their fence.
void delete_rows(Database& database, bool finished) {
  Transaction transaction(database.owner(), "BEGIN; SELECT pg_advisory_xact_lock(" +
                                                std::to_string(kCoordinatorLock) + ", 0)");
  database.owner().run(
      std::string("DELETE FROM moray_router.reshard_vnode o USING moray_router.reshard_vnode n "
                  "WHERE n.plan = $1::bigint AND o.vnode = n.vnode AND o.plan ") +
          (finished ? "<=" : "=") + " n.plan",
      {std::to_string(database.number())});
  database.owner().run_all(
      "DELETE FROM moray_router.reshard_plan p WHERE NOT EXISTS (SELECT 1 FROM "
      "moray_router.reshard_vnode v WHERE v.plan = p.plan); DELETE FROM moray_router.reshard_log l "
      "WHERE NOT EXISTS (SELECT 1 FROM moray_router.reshard_plan p WHERE p.plan = l.plan)");
  transaction.commit();
}

/// What an older program has made there is not this one's to take apart.
void require_no_older_program(Database& database) {
  if (!database.has_schema() &&
      database.owner()
              .run("SELECT 1 WHERE to_regclass('moray_router.reshard_plan') IS NOT NULL")
              .count() > 0)
    throw std::runtime_error(std::string("the ") + database.role_name() +
                             " has the schema of an older program: forget its plans with that "
                             "program, or run a plan of this one, which makes it its own");
}

Act act_of(const Journal& journal) {
  const Progress at = journal.read().progress;
  return at.act == Act::take_over ? at.after_take_over : at.act;
}

/// Where a plan's end waits for a side that never comes back.
bool over_here(Act act, const Forgotten& gone) {
  if (act == Act::finished || act == Act::aborted) return true;
  if (act == Act::clean_target) return gone.target_is_gone;
  return gone.source_is_gone && act >= Act::begin_cleanup && act <= Act::end_cleanup;
}

/// The plan that takes this one back, unless that is aborted.
std::optional<Journal> way_back(const Journal& journal) {
  Plans& plans = journal.plans();
  for (const std::uint64_t number : plans.numbers()) {
    if (number == journal.plan().number) continue;
    Journal other = plans.open(number);
    if (other.plan().reverts == journal.plan().number && act_of(other) != Act::aborted)
      return other;
  }
  return std::nullopt;
}

/// The plan's last act. Throws where it is not over, with what ends it.
Act end_of(const Journal& journal, const Forgotten& gone) {
  const std::string plan = journal.plan().name();
  const auto refuse = [&](const std::string& why) {
    throw std::runtime_error("plan " + plan + " is not over" + why);
  };
  if (const auto back = way_back(journal)) {
    Forgotten other = gone;
    std::swap(other.source_is_gone, other.target_is_gone);
    if (over_here(act_of(*back), other)) return Act::finished;
    refuse(": plan " + back->plan().name() + " takes it back, and is not over");
  }
  const Act act = act_of(journal);
  if (over_here(act, gone)) return act;
  if (act == Act::clean_target)
    refuse(": it is aborted, and left at the target; `reshard abort " + plan +
           "` cleans it, --target-is-gone leaves it out");
  if (act == Act::soak)
    refuse(": it soaks; `reshard finalize " + plan + "` ends that, `reshard rollback " + plan +
           "` takes it back");
  if (act >= Act::begin_cleanup && act <= Act::end_cleanup)
    refuse(": its source is not cleaned; `reshard run " + plan +
           "` does that, --source-is-gone leaves it out");
  refuse("");
  return act;
}

/// The plan has a row there.
bool lacks_end(Database& source) {
  const auto row = source.plan_row();
  return row && (row->state == "committed" || row->state == "cleaning");
}

/// Its cleanup has ended, and not because another plan has taken it back.
bool was_cleaned(const Journal& journal) {
  const State state = journal.read();
  return state.progress.act == Act::finished && journal.plan().options.cleanup &&
         state.taken_back_by == 0 && !way_back(journal);
}

}  // namespace

bool has_lost_cleanup(const Journal& journal) {
  if (!was_cleaned(journal)) return false;
  Database source(journal.plan(), Role::source);
  try {
    source.connect();
  } catch (const Waiting&) {
    return false;
  }
  return source.has_schema() && has_row(source) && lacks_end(source);
}

void begin_cleanup_again(Journal& journal) {
  State state = journal.read();
  state.progress.act = Act::begin_cleanup;
  journal.record_first(state, "the source has lost the end of the cleanup, which begins again");
}

void forget(const Journal& journal, Routers& routers, const Forgotten& gone,
            const std::function<void(const std::string& text)>& told) {
  const Plan& plan = journal.plan();
  const Act act = end_of(journal, gone);
  const bool finished = act != Act::aborted && act != Act::clean_target;
  // A router that still holds a ring of this plan's could not read what became of it any more.
  routers.set_coordinator(journal.read().coordinators + 1);
  for (const std::string& problem : routers.end(finished, kRouterLimit).problems) told(problem);
  for (const Role role : {Role::source, Role::target}) {
    if (role == Role::source ? gone.source_is_gone : gone.target_is_gone) continue;
    Database database(plan, role);
    const std::string where = std::string(database.role_name()) + " " + database.side().pnode;
    database.connect();
    database.lock(plan.number, false);
    require_no_older_program(database);
    if (database.has_schema() && has_row(database)) {
      if (role == Role::source && finished) {
        if (was_cleaned(journal) && lacks_end(database))
          throw std::runtime_error(
              "plan " + plan.name() + " is finished, and the " + where +
              " has its rows again: the server has failed over to a standby that lacked the end of "
              "the cleanup. `reshard run " +
              plan.name() + "` cleans it again");
        require_routers_left(database, routers);
      }
      delete_rows(database, finished);
    }
    // Also where the rows are gone already: a forget that was cut off has left the rest.
    const auto other = remove_leftovers(database, gone.lock_limit);
    journal.plans().forget(plan, database.owner());
    told(where + ": " +
         (other ? "nothing is left of the plan; triggers and schema stay for plan " +
                      std::to_string(*other)
                : std::string("nothing is left")));
  }
}

}  // namespace reshard
