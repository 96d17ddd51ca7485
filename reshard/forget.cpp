#include "reshard/forget.hpp"

#include <chrono>
#include <stdexcept>
#include <thread>

#include <nlohmann/json.hpp>

#include "reshard/database.hpp"
#include "reshard/routers.hpp"
#include "reshard/schema.hpp"
#include "reshard/tables.hpp"

namespace reshard {
namespace {

constexpr std::chrono::seconds kRouterLimit{5};
constexpr std::chrono::seconds kLockLimit{60};
constexpr std::chrono::milliseconds kLockPause{100};

/// The rings differ in other ways by now: a vnode of the plan is asked about.
void require_routers_left(const Plan& plan) {
  for (const std::string& router : plan.routers) {
    const RouterAnswer answer =
        ask_router(router, "status", nlohmann::ordered_json::object(), kRouterLimit);
    if (!answer.ok)
      throw std::runtime_error("router " + router +
                               " does not say which ring it is on: " + answer.message);
    const auto status = nlohmann::json::parse(answer.result);
    if (status.at("ring").value("digest", "") == plan.base_digest)
      throw std::runtime_error(
          "router " + router +
          " is on the ring that the plan began from: what is left of the plan stops its writes");
  }
}

/// A lock that is not had at once is tried again, so that no writer waits behind whoever holds it
/// (T12).
void run_patiently(Database& database, const std::string& sql) {
  const auto begun = std::chrono::steady_clock::now();
  for (;;) {
    try {
      return static_cast<void>(
          database.owner().run_all("BEGIN; SET LOCAL lock_timeout = '50ms'; " + sql + "COMMIT"));
    } catch (const backends::postgres::SessionError& error) {
      if (error.sqlstate != "55P03" || std::chrono::steady_clock::now() - begun > kLockLimit) throw;
    }
    database.owner().run_all("ROLLBACK");
    std::this_thread::sleep_for(kLockPause);
  }
}

}  // namespace

void forget(const Journal& journal) {
  const Plan& plan = journal.plan();
  const Act act = journal.read().progress.act;
  if (act != Act::finished && act != Act::aborted)
    throw std::runtime_error("plan " + plan.name() + " is not over");
  if (act == Act::finished) require_routers_left(plan);
  for (const Role role : {Role::source, Role::target}) {
    Database database(plan, role);
    database.connect();
    database.lock(plan.number, false);
    if (!database.plan_row()) continue;
    // Older plans of these vnodes go with one that is done: the newest one decides, and they must
    // not be that again.
    const std::string gone = act == Act::finished ? "o.plan <= n.plan" : "o.plan = n.plan";
    database.owner().run_all(
        "BEGIN; DELETE FROM moray_router.reshard_vnode o USING moray_router.reshard_vnode n WHERE "
        "n.plan = " +
        plan.name() + " AND o.vnode = n.vnode AND " + gone +
        "; DELETE FROM moray_router.reshard_plan p WHERE NOT EXISTS (SELECT 1 FROM " +
        "moray_router.reshard_vnode v WHERE v.plan = p.plan); DELETE FROM moray_router.reshard_log "
        "l WHERE NOT EXISTS (SELECT 1 FROM " +
        "moray_router.reshard_plan p WHERE p.plan = l.plan); COMMIT");
    if (database.owner().run("SELECT 1 FROM moray_router.reshard_plan LIMIT 1").count() > 0)
      continue;
    for (const BucketConfig& config : routed(bucket_configs(database.owner()), plan.buckets))
      run_patiently(database, drop_table_triggers_sql(config.name));
    run_patiently(database, std::string("DROP TRIGGER IF EXISTS ") + kRowTrigger +
                                " ON buckets_config; DROP SCHEMA moray_router CASCADE; ");
  }
}

}  // namespace reshard
