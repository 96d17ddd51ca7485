#include "reshard/forget.hpp"

#include <chrono>
#include <stdexcept>
#include <thread>

#include <nlohmann/json.hpp>

#include "reshard/database.hpp"
#include "reshard/routers.hpp"
#include "reshard/schema.hpp"
#include "reshard/tables.hpp"
#include "reshard/transaction.hpp"

namespace reshard {
namespace {

constexpr std::chrono::seconds kLockLimit{60};
constexpr std::chrono::milliseconds kLockPause{100};

/// Whether newer plans have all of the plan's vnodes in this database: then they decide there, and
/// nothing that this plan has left does.
bool newer_plans_decide(Database& database) {
  return database.owner()
             .run(
                 "SELECT 1 FROM moray_router.reshard_vnode v WHERE v.plan = $1::bigint AND NOT "
                 "EXISTS (SELECT 1 FROM moray_router.reshard_vnode w JOIN "
                 "moray_router.reshard_plan q ON q.plan = w.plan WHERE w.vnode = v.vnode AND "
                 "q.plan > v.plan AND q.state <> 'aborted') LIMIT 1",
                 {std::to_string(database.number())})
             .count() == 0;
}

/// The fence is what stops a router that missed everything.
void require_routers_left(const Plan& plan) {
  for (const Ownership& each : Routers(plan).ownership(plan.from.pnode, kRouterLimit)) {
    if (!each.problem.empty())
      throw std::runtime_error("router " + each.router +
                               " does not say which ring it is on: " + each.problem);
    if (!each.none)
      throw std::runtime_error("router " + each.router + " still gives vnodes of the plan to " +
                               plan.from.pnode +
                               ": what is left of the plan stops its writes there");
  }
}

/// A lock that is not had at once is tried again, so that no writer waits after whoever holds it
/// (T12).
void run_patiently(Database& database, const std::string& sql) {
  const auto begun = std::chrono::steady_clock::now();
  for (;;) {
    try {
      Transaction transaction(database.owner(), "BEGIN; SET LOCAL lock_timeout = '50ms'; " + sql);
      return transaction.commit();
    } catch (const backends::postgres::SessionError& error) {
      if (error.sqlstate != "55P03" || std::chrono::steady_clock::now() - begun > kLockLimit) throw;
    }
    std::this_thread::sleep_for(kLockPause);
  }
}

/// Older plans of these vnodes go with one that is done: the newest one decides, and they must not
/// be that again.
std::string plans_that_go(const Plan& plan, bool finished) {
  return "(SELECT DISTINCT o.plan FROM moray_router.reshard_vnode o JOIN "
         "moray_router.reshard_vnode n ON o.vnode = n.vnode AND n.plan = " +
         plan.name() + " WHERE o.plan " + (finished ? "<=" : "=") + " n.plan)";
}

void forget_at(Database& database, const Plan& plan, bool finished) {
  const auto others = database.owner().run(
      "SELECT 1 FROM moray_router.reshard_plan WHERE plan NOT "
      "IN " +
      plans_that_go(plan, finished) + " LIMIT 1");
  if (others.count() == 0) {
    for (const BucketConfig& config : routed(bucket_configs(database.owner()), plan.buckets))
      run_patiently(database, drop_table_triggers_sql(config.name));
    return run_patiently(database, std::string("DROP TRIGGER IF EXISTS ") + kRowTrigger +
                                       " ON buckets_config; DROP SCHEMA moray_router CASCADE; ");
  }
  Transaction transaction(database.owner());
  database.owner().run_all(
      "DELETE FROM moray_router.reshard_vnode o USING moray_router.reshard_vnode n WHERE n.plan "
      "= " +
      plan.name() + " AND o.vnode = n.vnode AND o.plan " + (finished ? "<=" : "=") +
      " n.plan; DELETE FROM moray_router.reshard_plan p WHERE NOT EXISTS (SELECT 1 FROM "
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

/// Where a plan's end waits for a side that never comes back.
bool over(Act act, const Forgotten& gone) {
  if (act == Act::finished || act == Act::aborted) return true;
  if (act == Act::clean_target) return gone.target_is_gone;
  return gone.source_is_gone && act >= Act::begin_cleanup && act <= Act::end_cleanup;
}

}  // namespace

void forget(const Journal& journal, const Forgotten& gone) {
  const Plan& plan = journal.plan();
  const Progress at = journal.read().progress;
  const Act act = at.act == Act::take_over ? at.after_take_over : at.act;
  if (!over(act, gone))
    throw std::runtime_error("plan " + plan.name() + " is not over" +
                             (act == Act::clean_target
                                  ? ": it is aborted, and left at the target; `reshard abort " +
                                        plan.name() + "` cleans it, --target-is-gone leaves it out"
                                  : ""));
  const bool finished = act != Act::aborted && act != Act::clean_target;
  // A router that still holds a ring of this plan's could not read what became of it any more.
  Routers routers(plan);
  routers.set_coordinator(journal.read().coordinators + 1);
  static_cast<void>(routers.tell("abandon", {{"lease", routers.holder()}}, kRouterLimit));
  for (const Role role : {Role::source, Role::target}) {
    if (role == Role::source ? gone.source_is_gone : gone.target_is_gone) continue;
    Database database(plan, role);
    database.connect();
    database.lock(plan.number, false);
    if (!database.plan_row()) {
      require_no_older_program(database);
      continue;
    }
    if (role == Role::source && finished && !newer_plans_decide(database))
      require_routers_left(plan);
    forget_at(database, plan, finished);
  }
}

}  // namespace reshard
