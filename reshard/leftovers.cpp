#include "reshard/leftovers.hpp"

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "reshard/records/tables.hpp"
#include "reshard/schema.hpp"
#include "reshard/transaction.hpp"

namespace reshard {
namespace {

using backends::postgres::Rows;
using backends::postgres::Session;
using backends::postgres::SessionError;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kFirstWait{50};
constexpr std::chrono::milliseconds kLongestWait{1'000};

/// Something that goes in one transaction.
struct Leftover {
  std::string name;      ///< for people
  std::string drop;      ///< SQL
  std::string relation;  ///< a condition on pg_locks' column `relation`
};

/// A table is found by its triggers, whatever it is called by now and whether or not it is a
/// bucket's still. A partition's triggers go with those of its parent. At last the schema: its view
/// before its tables, since finds that use the view have all of them locked.
std::vector<Leftover> leftovers(Session& session) {
  const Rows triggers = session.run(
      "SELECT t.tgrelid::regclass::text, string_agg('DROP TRIGGER IF EXISTS ' || "
      "quote_ident(t.tgname) || ' ON ' || t.tgrelid::regclass::text, '; '), t.tgrelid::text FROM "
      "pg_trigger t JOIN pg_proc f ON f.oid = t.tgfoid JOIN pg_namespace n ON n.oid = "
      "f.pronamespace WHERE n.nspname = 'moray_router' AND NOT EXISTS (SELECT 1 FROM pg_depend d "
      "WHERE d.classid = 'pg_trigger'::regclass AND d.objid = t.oid AND d.refclassid = "
      "'pg_trigger'::regclass) GROUP BY t.tgrelid ORDER BY 1");
  std::vector<Leftover> all;
  for (int i = 0; i < triggers.count(); ++i)
    all.push_back({"the triggers of table " + triggers.string(i, 0), triggers.string(i, 1),
                   "l.relation = " + triggers.string(i, 2)});
  if (all.empty() &&
      session.run("SELECT 1 WHERE to_regnamespace('moray_router') IS NOT NULL").count() > 0)
    all.push_back({"the schema moray_router",
                   "DROP VIEW IF EXISTS moray_router.reshard_side; DROP SCHEMA IF EXISTS "
                   "moray_router CASCADE",
                   "l.relation IN (SELECT oid FROM pg_class WHERE relnamespace = "
                   "to_regnamespace('moray_router'))"});
  return all;
}

/// Once the plans' table is gone, so are the plans; but for one that was made and has no row yet.
std::optional<std::uint64_t> oldest_plan(Session& session, const Plan& forgotten) {
  const auto other = kept::plan_beside(session, forgotten);
  if (session.run("SELECT 1 WHERE to_regclass('moray_router.reshard_plan') IS NOT NULL").count() ==
      0)
    return other;
  const Rows plan = session.run("SELECT min(plan) FROM moray_router.reshard_plan");
  if (plan.null(0, 0)) return other;
  return std::stoull(plan.string(0, 0));
}

/// Empty: nobody that shows.
std::string holder(Session& session, const Leftover& what) {
  const Rows rows = session.run(
      "SELECT a.pid, a.application_name, a.usename, coalesce(round(extract(epoch FROM "
      "clock_timestamp() - a.xact_start)), 0) FROM pg_locks l JOIN pg_stat_activity a ON a.pid = "
      "l.pid WHERE l.locktype = 'relation' AND l.granted AND l.pid <> pg_backend_pid() AND "
      "l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND " +
      what.relation + " ORDER BY a.xact_start LIMIT 1");
  if (rows.count() == 0) return "";
  return "locked by process " + rows.string(0, 0) + " (" + rows.string(0, 1) + ", user " +
         rows.string(0, 2) + "), whose transaction is " + rows.string(0, 3) + " s old";
}

enum class Dropped : std::uint8_t { yes, locked, plan_is_there };

Dropped drop(Session& session, const Leftover& what, std::chrono::milliseconds wait,
             const Plan& forgotten) {
  try {
    Transaction transaction(
        session, "BEGIN; SET LOCAL lock_timeout = " + std::to_string(wait.count()) +
                     "; SELECT pg_advisory_xact_lock(" + std::to_string(kCoordinatorLock) + ", 0)");
    if (oldest_plan(session, forgotten)) return Dropped::plan_is_there;
    session.run_all(what.drop);
    transaction.commit();
    return Dropped::yes;
  } catch (const SessionError& error) {
    // Also a table that was dropped or renamed meanwhile, and a deadlock that ended here.
    if (error.sqlstate != "55P03" && error.sqlstate != "40P01" && error.sqlstate != "42P01") throw;
    return Dropped::locked;
  }
}

}  // namespace

std::optional<std::uint64_t> remove_leftovers(Database& database, std::chrono::seconds limit) {
  Session& session = database.owner();
  const auto begun = Clock::now();
  for (auto wait = kFirstWait;; wait = std::min(2 * wait, kLongestWait)) {
    if (const auto plan = oldest_plan(session, database.plan())) return plan;
    const auto all = leftovers(session);
    if (all.empty()) return std::nullopt;
    const Leftover* locked = nullptr;
    for (const Leftover& each : all) {
      const Dropped dropped = drop(session, each, wait, database.plan());
      if (dropped == Dropped::plan_is_there) break;
      if (dropped == Dropped::locked) locked = &each;
    }
    if (locked == nullptr) continue;
    if (Clock::now() - begun > limit) {
      const std::string by = holder(database.apply(), *locked);
      throw ActFailed(std::string(database.role_name()) + " " + database.side().pnode + ": " +
                      locked->name + (all.size() > 1 ? " and others" : "") + " are left" +
                      (by.empty() ? "" : ", " + by));
    }
    std::this_thread::sleep_for(2 * wait);  // so that writers have most of the time
  }
}

}  // namespace reshard
