#include "reshard/database.hpp"

#include <algorithm>
#include <thread>

#include "reshard/records/tables.hpp"
#include "reshard/schema.hpp"

namespace reshard {
namespace {

using backends::postgres::Rows;
using backends::postgres::Session;
using backends::postgres::SessionError;

constexpr std::chrono::milliseconds kLockLook{50};
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

/// The name of sessions that do not hold the plan's lock yet, or never will. A coordinator ends the
/// sessions that are called like its own, which an older one has left: not those of a rival that
/// waits for the lock, of a preflight, or of a command that reads.
std::string application_before_lock(std::uint64_t plan) {
  return application_of(plan) + " (has not begun)";
}

}  // namespace

Database::Database(const Plan& plan, Role role)
    : plan_(plan), role_(role), number_(std::to_string(plan.number)),
      application_(application_of(plan.number)) {}

void Database::connect() {
  disconnect();
  const auto refused = [this](const char* what, const SessionError& error) {
    const std::string text =
        std::string(role_name()) + " " + side().pnode + ", " + what + ": " + error.what();
    // No server, or one that is starting, ending, or has no room.
    if (error.sqlstate.empty() || error.sqlstate.starts_with("57") ||
        error.sqlstate.starts_with("53"))
      throw Waiting(text);
    if (error.sqlstate.starts_with("28") || error.sqlstate == "3D000") throw LoginRefused(text);
    throw SessionError(text, error.sqlstate);
  };
  const std::string application = application_before_lock(plan_.number);
  try {
    owner_ = std::make_unique<Session>(side().url, application);
    owner_->run_all("SET lock_timeout = '5s'");
  } catch (const SessionError& error) {
    refused("owner's connection", error);
  }
  try {
    apply_ = std::make_unique<Session>(side().apply, application);
    apply_->run_all("SET lock_timeout = '5s'; SET session_replication_role = replica");
  } catch (const SessionError& error) {
    refused("apply connection", error);
  }
}

void Database::disconnect() {
  schema_known_ = false;
  taken_ = false;
  owner_.reset();
  apply_.reset();
}

/// Of a plan that an older program has under way, nobody knows here what its rows and its log say:
/// neither an act nor its undoing would be right.
void require_this_programs(Database& database) {
  if (database.has_schema()) return;
  const std::string plan = std::to_string(database.number());
  if (database.owner()
          .run("SELECT 1 WHERE to_regclass('moray_router.reshard_plan') IS NOT NULL")
          .count() == 0)
    return;
  const Rows rows = database.owner().run(
      "SELECT state FROM moray_router.reshard_plan WHERE plan = $1::bigint AND token = $2 AND "
      "state "
      "NOT IN ('done', 'aborted')",
      {plan, database.plan().token});
  if (rows.count() > 0)
    throw std::runtime_error("plan " + plan + " was begun by an older program, and is " +
                             rows.string(0, 0) + " at the " + database.role_name() +
                             ": this one can't read its log. End it with that program first; "
                             "nothing was changed");
}

void Database::take(bool by_force) {
  connect();
  require_this_programs(*this);
  for (const std::uint64_t plan : {plan_.number, plan_.reverts}) {
    if (plan == 0) continue;
    lock(plan, by_force);  // a rollback: the reverse stream of its forward plan has the same log
    end_older_sessions(plan);
  }
  std::uint64_t epoch = 0;
  if (const auto row = plan_row()) epoch = row->epoch;
  epoch = std::max(epoch, kept::epoch_of(*owner_, plan_));
  if (has_schema()) {
    find_older_plans();
    const Rows newer = owner_->run(
        "SELECT max(p.plan) FROM moray_router.reshard_plan p WHERE p.plan > $1::bigint AND "
        "p.state <> 'aborted' AND EXISTS (SELECT 1 FROM moray_router.reshard_vnode n JOIN "
        "moray_router.reshard_vnode o ON o.vnode = n.vnode AND o.plan = $1::bigint WHERE "
        "n.plan = p.plan)",
        {number_});
    if (!newer.null(0, 0))
      throw NotCoordinator("plan " + newer.string(0, 0) + " has taken over the vnodes of plan " +
                           number_);
  }
  taken_by_others_ = epoch > epoch_;
  set_epoch(epoch + 1);
  taken_ = true;
}

void Database::lock(std::uint64_t plan, bool by_force) {
  const std::string number = std::to_string(plan);
  const auto begun = std::chrono::steady_clock::now();
  const std::string key = std::to_string(kCoordinatorLock) + ", " + number;
  for (;;) {
    if (owner_->run("SELECT pg_try_advisory_lock(" + key + ")").text(0, 0) == "t") {
      name_sessions();
      return;
    }
    const Rows holder = owner_->run(
        "SELECT a.pid, a.application_name, coalesce(host(a.client_addr), 'local'), "
        "to_char(a.backend_start, 'YYYY-MM-DD\"T\"HH24:MI:SS') FROM pg_locks l "
        "JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.locktype = 'advisory' AND l.granted AND "
        "l.database = (SELECT oid FROM pg_database WHERE datname = "
        "current_database()) AND l.classid = " +
        std::to_string(kCoordinatorLock) + "::oid AND l.objid = " + number +
        "::oid AND l.objsubid = 2");
    if (holder.count() > 0) {
      if (by_force) apply_->run("SELECT pg_terminate_backend($1::int)", {holder.string(0, 0)});
      if (std::chrono::steady_clock::now() - begun > kHolderEnds * (by_force ? 6 : 1))
        throw NotCoordinator("plan " + number + " has a coordinator: at the " + role_name() +
                             ", process " + holder.string(0, 0) + " (" + holder.string(0, 1) +
                             ", from " + holder.string(0, 2) + ", since " + holder.string(0, 3) +
                             "); --take-over ends it");
    }
    std::this_thread::sleep_for(kLockLook);
  }
}

/// The owner's session, which holds the lock, comes last: if it has ended, its renaming fails
/// before anything is written; and as long as it lives nobody else has the lock, and looks for
/// sessions to end.
void Database::name_sessions() {
  for (Session* each : {apply_.get(), owner_.get()})
    each->run("SELECT set_config('application_name', $1, false)", {application_});
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
    std::this_thread::sleep_for(kLockLook);
  }
}

void Database::limit_statements(std::uint64_t milliseconds) {
  for (const auto* session : {&owner_, &apply_}) (*session)->limit_statements(milliseconds);
}

void Database::ready_for_block(std::uint64_t milliseconds, const backends::postgres::Call& call) {
  owner_->prepare(call);
  owner_->keep_plans(true);
  owner_->send(call);
  owner_->receive();
  limit_statements(milliseconds);
}

void Database::unlimit() {
  limit_statements(0);
  owner_->keep_plans(false);
}

void Database::answer_until(std::optional<std::chrono::steady_clock::time_point> time) {
  for (const auto* session : {&owner_, &apply_}) (*session)->answer_until(time);
}

/// Once it is there it stays, for as long as a plan is. One of an older program counts as none: it
/// is brought up to date, or refused, before anything else is done with it.
bool Database::has_schema() {
  schema_known_ =
      schema_known_ ||
      owner_->run(
                "SELECT 1 FROM pg_attribute WHERE attrelid = "
                "to_regclass('moray_router.reshard_plan') AND attname = 'reverts' AND NOT "
                "attisdropped")
              .count() > 0;
  return schema_known_;
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
  return {{rows.string(0, 0), rows.string(0, 1), rows.string(0, 2)},
          rows.text(0, 4) == "t" ? rows.string(0, 3) : std::string()};
}

ServerIdentity Database::identity() {
  ask_standing();
  return standing().identity;
}

std::string Database::unflushed() {
  const Rows rows = apply_->run("SELECT n.lsn, " + std::string(kUnflushed));
  return rows.text(0, 1) == "t" ? rows.string(0, 0) : std::string();
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
