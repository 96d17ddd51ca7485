#include "reshard/database.hpp"

#include <thread>

#include "backends/postgres/identifier.hpp"
#include "reshard/schema.hpp"

namespace reshard {
namespace {

using backends::postgres::literal;
using backends::postgres::Rows;
using backends::postgres::Session;
using backends::postgres::SessionError;

constexpr std::chrono::milliseconds kLook{50};
constexpr std::chrono::seconds kHolderEnds{
    5};  ///< a coordinator that was killed: its server's process sees it when its statement ends
constexpr std::chrono::seconds kOldSessionsEnd{30};

/// Of a position `n.lsn`.
constexpr const char* kUnflushed =
    "EXISTS (SELECT 1 FROM pg_stat_get_wal_senders() s WHERE s.state = 'streaming' AND "
    "coalesce(s.flush_lsn, '0/0') < n.lsn) "
    "FROM (SELECT pg_current_wal_lsn() AS lsn) n";

std::string application_of(std::uint64_t plan) {
  return "moray-router reshard " + std::to_string(plan);
}

std::string text(const Rows& rows, int row, int column) {
  return std::string(rows.text(row, column));
}

}  // namespace

Database::Database(const Plan& plan, Role role)
    : plan_(plan), role_(role), number_(std::to_string(plan.number)),
      application_(application_of(plan.number)) {}

void Database::connect() {
  disconnect();
  const auto named = [this](const char* what) {
    return [this, what](const SessionError& error) {
      SessionError told(
          std::string(role_name()) + " " + side().pnode + ", " + what + ": " + error.what(),
          error.sqlstate);
      return told;
    };
  };
  try {
    owner_ = std::make_unique<Session>(side().url, application_);
    owner_->run_all("SET synchronous_commit = on; SET lock_timeout = '5s'");
  } catch (const SessionError& error) {
    throw named("owner's connection")(error);
  }
  try {
    apply_ = std::make_unique<Session>(side().apply, application_);
    apply_->run_all(
        "SET synchronous_commit = on; SET lock_timeout = '5s'; SET session_replication_role = "
        "replica");
  } catch (const SessionError& error) {
    throw named("apply connection")(error);
  }
}

void Database::disconnect() {
  schema_known_ = false;
  owner_.reset();
  apply_.reset();
}

void Database::lock(std::uint64_t plan, bool by_force) {
  const std::string number = std::to_string(plan);
  const auto begun = std::chrono::steady_clock::now();
  const std::string key = std::to_string(kCoordinatorLock) + ", " + number;
  for (;;) {
    if (owner_->run("SELECT pg_try_advisory_lock(" + key + ")").text(0, 0) == "t") return;
    const Rows holder = owner_->run(
        "SELECT a.pid, a.application_name, coalesce(host(a.client_addr), 'local'), "
        "to_char(a.backend_start, 'YYYY-MM-DD\"T\"HH24:MI:SS') FROM pg_locks l "
        "JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.locktype = 'advisory' AND l.granted AND "
        "l.database = (SELECT oid FROM pg_database WHERE datname = "
        "current_database()) AND l.classid = " +
        std::to_string(kCoordinatorLock) + "::oid AND l.objid = " + number +
        "::oid AND l.objsubid = 2");
    if (holder.count() > 0) {
      if (by_force) apply_->run("SELECT pg_terminate_backend($1::int)", {text(holder, 0, 0)});
      if (std::chrono::steady_clock::now() - begun > kHolderEnds * (by_force ? 6 : 1))
        throw NotCoordinator("plan " + number + " has a coordinator: at the " + role_name() +
                             ", process " + text(holder, 0, 0) + " (" + text(holder, 0, 1) +
                             ", from " + text(holder, 0, 2) + ", since " + text(holder, 0, 3) +
                             "); --take-over ends it");
    }
    std::this_thread::sleep_for(kLook);
  }
}

void Database::end_older_sessions(std::uint64_t plan) {
  const auto begun = std::chrono::steady_clock::now();
  for (;;) {
    const Rows left = apply_->run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND "
        "datname = current_database() "
        "AND pid NOT IN ($2::int, $3::int)",
        {application_of(plan), std::to_string(owner_->process()),
         std::to_string(apply_->process())});
    if (left.count() == 0) return;
    if (std::chrono::steady_clock::now() - begun > kOldSessionsEnd)
      throw ActFailed(std::string("older sessions of plan ") + std::to_string(plan) + " at the " +
                      role_name() + " don't end");
    std::this_thread::sleep_for(kLook);
  }
}

void Database::limit_statements(std::uint64_t milliseconds) {
  for (const auto* session : {&owner_, &apply_}) (*session)->limit_statements(milliseconds);
}

void Database::answer_until(std::optional<std::chrono::steady_clock::time_point> time) {
  for (const auto* session : {&owner_, &apply_}) (*session)->answer_until(time);
}

/// Once it is there it stays, for as long as a plan is.
bool Database::has_schema() {
  schema_known_ =
      schema_known_ ||
      owner_->run("SELECT 1 WHERE to_regclass('moray_router.reshard_plan') IS NOT NULL").count() >
          0;
  return schema_known_;
}

std::optional<PlanRow> Database::plan_row() {
  if (!has_schema()) return std::nullopt;
  const Rows rows = owner_->run(
      "SELECT state, attempt, epoch, decided, token FROM moray_router.reshard_plan WHERE plan = "
      "$1::bigint",
      {number_});
  if (rows.count() == 0) return std::nullopt;
  PlanRow row{text(rows, 0, 0), static_cast<std::uint32_t>(std::stoul(text(rows, 0, 1))),
              std::stoull(text(rows, 0, 2)), rows.text(0, 3) == "t", text(rows, 0, 4)};
  if (row.token != plan_.token)
    throw NotCoordinator(std::string("the ") + role_name() + " " + side().pnode +
                         " has another plan " + number_ + "; forget this one, and plan again");
  return row;
}

void Database::set_epoch(std::uint64_t epoch) {
  epoch_ = epoch;
  if (has_schema())
    owner_->run("UPDATE moray_router.reshard_plan SET epoch = $2::bigint WHERE plan = $1::bigint",
                {number_, std::to_string(epoch)});
}

void Database::make_plan_row(const std::string& state) {
  if (plan_row()) return;
  owner_->run_all(
      "BEGIN; INSERT INTO moray_router.reshard_vnode (vnode, plan) SELECT v, " + number_ +
      " FROM (" +
      [this] {
        std::string ranges;
        for (const auto& range : plan_.vnodes.ranges())
          ranges +=
              (ranges.empty() ? "SELECT generate_series(" : " UNION ALL SELECT generate_series(") +
              std::to_string(range.first) + "::bigint, " + std::to_string(range.last) + ") AS v";
        return ranges;
      }() +
      ") vnodes ON CONFLICT DO NOTHING; INSERT INTO moray_router.reshard_plan (plan, token, role, "
      "state, epoch, base_digest, ring_digest, "
      "from_pnode, to_pnode) "
      "VALUES (" +
      number_ + ", " + literal(plan_.token) + ", '" + role_name() + "', " + literal(state) + ", " +
      std::to_string(epoch_) + ", " + literal(plan_.base_digest) + ", " + literal(plan_.digest) +
      ", " + literal(plan_.from.pnode) + ", " + literal(plan_.to.pnode) +
      "); COMMIT; ANALYZE moray_router.reshard_vnode");
}

bool Database::set_state(const std::string& from, const std::string& to, const std::string& more) {
  const Rows rows =
      owner_->run("UPDATE moray_router.reshard_plan SET state = " + literal(to) +
                      ", changed = now()" + (more.empty() ? "" : ", " + more) +
                      " WHERE plan = $1::bigint AND epoch = $2::bigint AND state IN (" + from +
                      ", " + literal(to) + ")",
                  {number_, std::to_string(epoch_)});
  return rows.affected() == "1";
}

/// The timeline by the name of the file that is written to now: pg_control_checkpoint() still says
/// the old one after a promotion.
void Database::ask_standing() {
  apply_->send(
      "SELECT substr(pg_walfile_name(n.lsn), 1, 8), extract(epoch FROM "
      "pg_postmaster_start_time())::text, "
      "coalesce(host(inet_server_addr()) || ':' || inet_server_port(), "
      "current_setting('unix_socket_directories') || ':' || current_setting('port')), n.lsn, " +
      std::string(kUnflushed));
}

Database::Standing Database::standing() {
  const Rows rows = apply_->receive();
  return {{text(rows, 0, 0), text(rows, 0, 1), text(rows, 0, 2)},
          rows.text(0, 4) == "t" ? text(rows, 0, 3) : std::string()};
}

ServerIdentity Database::identity() {
  ask_standing();
  return standing().identity;
}

void Database::find_older_plans() {
  plans_.clear();
  const Rows rows = owner_->run(
      "SELECT DISTINCT o.plan FROM moray_router.reshard_vnode o JOIN moray_router.reshard_vnode n "
      "ON n.vnode = o.vnode AND n.plan = "
      "$1::bigint WHERE o.plan <= $1::bigint ORDER BY 1 DESC",
      {number_});
  for (int i = 0; i < rows.count(); ++i) plans_.push_back(std::stoull(text(rows, i, 0)));
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

void Database::end_writers() {
  apply_->run(
      "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND mode = "
      "'ShareLock' AND granted AND classid = " +
      std::to_string(kWritersLock) + "::oid AND objid::bigint IN (" + plan_list() +
      ") AND objsubid = 2");
}

std::string Database::unflushed() {
  const Rows rows = apply_->run("SELECT n.lsn, " + std::string(kUnflushed));
  return rows.text(0, 1) == "t" ? text(rows, 0, 0) : std::string();
}

bool Database::flushed(const std::string& position) {
  return apply_
             ->run(
                 "SELECT 1 FROM pg_stat_get_wal_senders() s WHERE s.state = 'streaming' AND "
                 "coalesce(s.flush_lsn, '0/0') < $1::pg_lsn LIMIT 1",
                 {position})
             .count() == 0;
}

}  // namespace reshard
