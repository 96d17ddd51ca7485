// A plan's row in a database, its vnodes, its barrier and its log.
#include "reshard/database.hpp"
#include "reshard/records/tables.hpp"
#include "reshard/schema.hpp"
#include "reshard/table_version.hpp"
#include "reshard/transaction.hpp"

namespace reshard {
namespace {

using backends::postgres::Relation;
using backends::postgres::Rows;

constexpr std::chrono::seconds kHolderWithin{1};

/// Of a lock `l`: its session `a`, or its prepared transaction `x`. That has no process, and is
/// told by the lock of its own number.
constexpr const char* kHolders =
    " LEFT JOIN pg_stat_activity a ON a.pid = l.pid LEFT JOIN pg_locks o ON l.pid IS NULL AND "
    "o.pid IS NULL AND o.locktype = 'transactionid' AND o.virtualtransaction = "
    "l.virtualtransaction LEFT JOIN pg_prepared_xacts x ON x.transaction = o.transactionid";

/// Whose lock it is, for people.
constexpr const char* kHolderName =
    "CASE WHEN a.pid IS NULL THEN format('prepared transaction %s of user %s', x.gid, x.owner) "
    "ELSE format('process %s (%s, user %s)', a.pid, a.application_name, a.usename) END";

/// A plan `p` that was taken back: a later one that says so has been committed here.
constexpr const char* kTakenBack =
    "EXISTS (SELECT 1 FROM moray_router.reshard_plan q WHERE q.reverts = p.plan AND q.state IN "
    "('committed', 'cleaning', 'done'))";

/// Of a log entry, beside its two texts: a row's head and its place on a page, three numbers, the
/// heads of the texts, and what the index has of it.
constexpr const char* kLogEntryBytes = "80";

}  // namespace

std::optional<PlanRow> Database::plan_row() {
  if (!has_schema()) return std::nullopt;
  const Rows rows = owner_->run(
      "SELECT state, attempt, epoch, decided, token, ids_kept FROM moray_router.reshard_plan WHERE "
      "plan = $1::bigint",
      {number_});
  if (rows.count() == 0) return std::nullopt;
  PlanRow row{rows.string(0, 0),
              static_cast<std::uint32_t>(std::stoul(rows.string(0, 1))),
              std::stoull(rows.string(0, 2)),
              rows.text(0, 3) == "t",
              rows.text(0, 5) == "t",
              rows.string(0, 4)};
  if (row.token != plan_.token)
    throw NotCoordinator(std::string("the ") + role_name() + " " + side().pnode +
                         " has another plan " + number_ + "; forget this one, and plan again");
  return row;
}

void Database::set_epoch(std::uint64_t epoch) {
  epoch_ = epoch;
  if (has_schema())
    owner_->run(
        "UPDATE moray_router.reshard_plan SET epoch = $2::bigint WHERE plan = $1::bigint AND token "
        "= $3",
        {number_, std::to_string(epoch), plan_.token});
  kept::set_epoch(*owner_, plan_, epoch);
}

/// In the transaction that makes a plan's row: what the vnodes' newest plan here leaves to this
/// one. A source must not have given them away, or its new row would take that plan's fence down; a
/// target must not have them; and what is to be taken back must be cut over, and not finalized.
void Database::require_here_before(backends::postgres::Session& session) {
  const bool source = role_ == Role::source;
  const Rows newest = session.run(
      "SELECT p.plan FROM moray_router.reshard_vnode n JOIN LATERAL (SELECT q.plan, "
      "q.role, q.state FROM moray_router.reshard_vnode w JOIN "
      "moray_router.reshard_plan q ON q.plan = w.plan WHERE w.vnode = n.vnode AND q.plan "
      "<> $1::bigint AND q.state <> 'aborted' ORDER BY q.plan DESC LIMIT 1) p ON true "
      "WHERE n.plan = $1::bigint AND p.plan <> $2::bigint AND p.role = $3 AND p.state IN "
      "('committed', 'cleaning', 'done') LIMIT 1",
      {number_, std::to_string(plan_.reverts), role_name()});
  if (newest.count() > 0)
    throw Stuck("plan " + newest.string(0, 0) + (source ? " has taken" : " has brought") +
                " vnodes of plan " + number_ + (source ? " from the source " : " to the target ") +
                side().pnode + " since it was made: abort this plan");
  if (plan_.reverts == 0) return;
  const Rows forward =
      session.run("SELECT state FROM moray_router.reshard_plan WHERE plan = $1::bigint FOR UPDATE",
                  {std::to_string(plan_.reverts)});
  if (forward.count() == 0 || forward.text(0, 0) != "committed")
    throw Stuck("plan " + std::to_string(plan_.reverts) + ", which is to be taken back, is " +
                (forward.count() == 0 ? std::string("not") : forward.string(0, 0)) + " at the " +
                role_name() + ": abort this plan");
}

void Database::make_plan_row(const std::string& state, const std::vector<Relation>& tables,
                             bool may_keep_ids) {
  if (plan_row()) return;
  Transaction transaction(
      *owner_, "BEGIN; SELECT pg_advisory_xact_lock(" + std::to_string(kCoordinatorLock) +
                   ", 0); DELETE FROM moray_router.reshard_vnode WHERE plan = " + number_);
  owner_->run_all("INSERT INTO moray_router.reshard_vnode (vnode, plan) SELECT v, " + number_ +
                  " FROM (" + vnodes_sql(plan_.vnodes) + ") vnodes");
  const Rows other = owner_->run(
      std::string(
          "SELECT p.plan, p.role, p.state FROM moray_router.reshard_plan p WHERE p.plan "
          "NOT IN ($1::bigint, $2::bigint) AND p.state NOT IN ('aborted', 'done') AND NOT ") +
          kTakenBack +
          " AND EXISTS (SELECT 1 FROM moray_router.reshard_vnode o JOIN moray_router.reshard_vnode "
          "n ON n.vnode = o.vnode AND n.plan = $1::bigint WHERE o.plan = p.plan) ORDER BY p.plan "
          "LIMIT 1",
      {number_, std::to_string(plan_.reverts)});
  if (other.count() > 0)
    throw Stuck("plan " + other.string(0, 0) + " has vnodes of plan " + number_ + " at the " +
                role_name() + " " + side().pnode + ", where it is " + other.string(0, 2) +
                ": finish, abort or roll back that plan first, or abort this one");
  require_here_before(*owner_);
  bool ids_kept = may_keep_ids;
  for (const Relation& table : tables) {
    if (!ids_kept) break;
    ids_kept = owner_->run("SELECT 1 FROM " + table + " LIMIT 1").count() == 0;
  }
  // The reverse stream of a plan that soaks brings rows to its source, too.
  if (ids_kept)
    ids_kept = owner_
                   ->run(
                       "SELECT 1 FROM moray_router.reshard_plan WHERE plan <> $1::bigint AND "
                       "state <> 'aborted' AND (role = 'target' OR state <> 'done') LIMIT 1",
                       {number_})
                   .count() == 0;
  owner_->run(
      "INSERT INTO moray_router.reshard_plan (plan, token, role, state, epoch, from_pnode, "
      "to_pnode, reverts, ids_kept) VALUES ($1::bigint, $2, $3, $4, $5::bigint, $6, $7, "
      "$8::bigint, $9::boolean)",
      {number_, plan_.token, role_name(), state, std::to_string(epoch_), plan_.from.pnode,
       plan_.to.pnode, std::to_string(plan_.reverts), ids_kept ? "true" : "false"});
  owner_->run(
      "UPDATE moray_router.reshard_plans_seen SET number = "
      "nextval('moray_router.reshard_plans_made')");
  transaction.commit();
  owner_->run("ANALYZE moray_router.reshard_vnode");
}

ring::VnodeSet Database::members() {
  return vnodes_in(owner_->run(
      "SELECT vnode FROM moray_router.reshard_vnode WHERE plan = $1::bigint", {number_}));
}

bool Database::leave_all_but(const ring::VnodeSet& vnodes) {
  Transaction transaction(*owner_);
  const bool ours = owner_
                        ->run(
                            "SELECT 1 FROM moray_router.reshard_plan WHERE plan = $1::bigint AND "
                            "epoch = $2::bigint FOR UPDATE",
                            {number_, std::to_string(epoch_)})
                        .count() == 1;
  if (!ours) return false;
  owner_->run("DELETE FROM moray_router.reshard_vnode WHERE plan = $1::bigint AND vnode NOT IN (" +
                  vnodes_sql(vnodes) + ")",
              {number_});
  transaction.commit();
  return true;
}

bool Database::bind(const std::string& state, const std::string& base, const std::string& ring) {
  return owner_
             ->run(
                 "UPDATE moray_router.reshard_plan SET base_digest = $4, ring_digest = $5 WHERE "
                 "plan = $1::bigint AND epoch = $2::bigint AND state = $3",
                 {number_, std::to_string(epoch_), state, base, ring})
             .affected() == "1";
}

std::optional<std::uint64_t> Database::plan_that_keeps_ids() {
  const Rows rows = owner_->run(
      "SELECT plan FROM moray_router.reshard_plan WHERE plan <> $1::bigint AND role = 'target' AND "
      "ids_kept AND state = 'guarded' ORDER BY plan LIMIT 1",
      {number_});
  if (rows.count() == 0) return std::nullopt;
  return std::stoull(rows.string(0, 0));
}

std::optional<std::uint64_t> Database::plan_beside(const std::string& state) {
  const Rows rows = owner_->run(
      "SELECT plan FROM moray_router.reshard_plan WHERE plan <> $1::bigint AND CASE $2 WHEN '' "
      "THEN state NOT IN ('aborted', 'done') ELSE state = $2 END ORDER BY plan LIMIT 1",
      {number_, state});
  if (rows.count() == 0) return std::nullopt;
  return std::stoull(rows.string(0, 0));
}

bool Database::set_state(const std::string& from, const std::string& to, const std::string& more) {
  const Rows rows = owner_->run(
      "UPDATE moray_router.reshard_plan SET state = $3, changed = now()" +
          (more.empty() ? "" : ", " + more) +
          " WHERE plan = $1::bigint AND epoch = $2::bigint AND state IN (" + from + ", $3)",
      {number_, std::to_string(epoch_), to});
  return rows.affected() == "1";
}

/// A server that crashes may forget the mark, and never the commit. No fsync of its own in a block.
void Database::decide() {
  owner_->run(
      "UPDATE moray_router.reshard_plan SET decided = true WHERE plan = $1::bigint AND epoch = "
      "$2::bigint AND state = 'committed' AND NOT decided AND set_config('synchronous_commit', "
      "'off', true) = 'off'",
      {number_, std::to_string(epoch_)});
}

void Database::find_older_plans() {
  plans_.clear();
  const Rows rows = owner_->run(
      "SELECT DISTINCT o.plan FROM moray_router.reshard_vnode o JOIN moray_router.reshard_vnode n "
      "ON n.vnode = o.vnode AND n.plan = $1::bigint ORDER BY 1 DESC",
      {number_});
  for (int i = 0; i < rows.count(); ++i) plans_.push_back(std::stoull(rows.string(i, 0)));
}

const std::vector<std::uint64_t>& Database::plans() {
  if (plans_.empty()) find_older_plans();
  return plans_;
}

std::string Database::plan_list() {
  std::string list;
  for (const std::uint64_t plan : plans()) list += (list.empty() ? "" : ",") + std::to_string(plan);
  return list.empty() ? number_ : list;
}

/// Tried, never waited for (T9): granted for the moment of this statement.
bool Database::barrier_open() {
  std::string all;
  for (const std::uint64_t plan : plans())
    all += (all.empty() ? "SELECT pg_try_advisory_xact_lock(" : " AND pg_try_advisory_xact_lock(") +
           std::to_string(kWritersLock) + ", " + std::to_string(plan) + ")";
  return all.empty() || owner_->run(all).text(0, 0) == "t";
}

std::vector<std::string> Database::writers_of(const std::vector<Relation>& tables) {
  std::vector<std::string> writers;
  const Rows rows = apply_->run(
      std::string(kTableTree) +
          "SELECT DISTINCT l.virtualtransaction FROM pg_locks l JOIN t ON t.oid = l.relation WHERE "
          "l.locktype = 'relation' AND l.granted AND l.mode = 'RowExclusiveLock' AND l.database = "
          "(SELECT oid FROM pg_database WHERE datname = current_database())",
      {names_of(tables)});
  for (int i = 0; i < rows.count(); ++i) writers.push_back(rows.string(i, 0));
  return writers;
}

/// A prepared transaction has no process: its locks are of `-1/` and its number.
std::string Database::writer_named(const std::string& writer) {
  const Rows rows = apply_->run(std::string("SELECT ") + kHolderName + " FROM pg_locks l" +
                                    kHolders + " WHERE l.virtualtransaction = $1 LIMIT 1",
                                {writer});
  return rows.count() == 0 ? "virtual transaction " + writer : rows.string(0, 0);
}

Database::Holder Database::holder_of(const std::string& table) {
  const Rows rows = apply_->run(
      std::string("SELECT ") + kHolderName +
          ", CASE WHEN a.backend_type = 'autovacuum worker' THEN a.pid ELSE 0 END, left(a.query, "
          "80) FROM pg_locks l" +
          kHolders +
          " WHERE l.database = (SELECT oid FROM pg_database WHERE datname = "
          "current_database()) AND l.relation = to_regclass($1) AND l.granted AND l.mode NOT IN "
          "('AccessShareLock', 'RowShareLock') ORDER BY coalesce(a.xact_start, x.prepared) LIMIT 1",
      {table});
  if (rows.count() == 0) return {};
  return {rows.string(0, 0) + (rows.null(0, 2) ? "" : ": " + rows.string(0, 2)),
          std::stoi(rows.string(0, 1))};
}

void Database::end_writers() {
  apply_->run("SELECT pg_terminate_backend(l.pid) FROM pg_locks l WHERE " + writers_sql());
}

bool Database::has_writers_since(std::chrono::milliseconds age) {
  return apply_
             ->run("SELECT 1 FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid WHERE " +
                       writers_sql() +
                       " AND (l.pid IS NULL OR a.xact_start < clock_timestamp() - $1::float8 * "
                       "interval '1 ms') LIMIT 1",
                   {std::to_string(age.count())})
             .count() > 0;
}

std::string Database::writers_named() {
  const Rows rows = apply_->run(std::string("SELECT ") + kHolderName +
                                ", to_char(coalesce(a.xact_start, x.prepared) AT TIME ZONE 'UTC', "
                                "'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') FROM pg_locks l" +
                                kHolders + " WHERE " + writers_sql() +
                                " ORDER BY coalesce(a.xact_start, x.prepared) LIMIT 1");
  if (rows.count() == 0) return "";
  return rows.string(0, 0) + " of the " + role_name() + ", whose transaction began at " +
         rows.string(0, 1);
}

std::string Database::blocker_of(int process, backends::postgres::Session& over) {
  over.answer_until(std::chrono::steady_clock::now() + kHolderWithin);
  const Rows rows = over.run(
      "SELECT b.pid, coalesce(nullif(a.application_name, ''), 'a session'), a.usename, "
      "to_char(a.query_start AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') FROM "
      "unnest(pg_blocking_pids($1::int)) b(pid) LEFT JOIN pg_stat_activity a ON a.pid = b.pid "
      "LIMIT 1",
      {std::to_string(process)});
  over.answer_until(std::nullopt);
  if (rows.count() == 0) return "";
  if (rows.null(0, 2)) return "a prepared transaction";
  return "process " + rows.string(0, 0) + " (" + rows.string(0, 1) + ", user " + rows.string(0, 2) +
         ", by a query of " + rows.string(0, 3) + ")";
}

std::string Database::writers_sql() {
  return "l.locktype = 'advisory' AND l.mode = 'ShareLock' AND l.granted AND l.database = (SELECT "
         "oid FROM pg_database WHERE datname = current_database()) AND l.classid = " +
         std::to_string(kWritersLock) + "::oid AND l.objid::bigint IN (" + plan_list() +
         ") AND l.objsubid = 2";
}

Database::LogSize Database::log_size() {
  const Rows rows = owner_->run(
      std::string("SELECT count(*), coalesce(sum(octet_length(l.bucket) + octet_length(l.key) + ") +
          kLogEntryBytes +
          "), 0) FROM moray_router.reshard_log l JOIN moray_router.reshard_vnode v ON v.plan = "
          "$1::bigint AND v.vnode = l.vnode",
      {number_});
  return {std::stoull(rows.string(0, 0)), std::stoull(rows.string(0, 1))};
}

/// A plan that is over lets others have its vnodes, whose entries stay: this may come late.
void Database::drop_log() {
  Transaction transaction(*owner_, "BEGIN; SET LOCAL synchronous_commit = off");
  owner_->run(
      "DELETE FROM moray_router.reshard_log l USING moray_router.reshard_vnode v WHERE v.plan = "
      "$1::bigint AND v.vnode = l.vnode AND NOT EXISTS (SELECT 1 FROM moray_router.reshard_plan q "
      "WHERE q.plan = l.plan AND q.plan > $1::bigint AND q.state <> 'aborted')",
      {number_});
  transaction.commit();
}

}  // namespace reshard
