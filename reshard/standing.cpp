#include "reshard/standing.hpp"

#include <future>

#include "reshard/schema.hpp"

namespace reshard {
namespace {

using backends::postgres::Rows;
using backends::postgres::Session;
using backends::postgres::SessionError;

constexpr int kHeldSeconds = 2;
constexpr std::uint64_t kCountedMost = 1'000'000;  ///< entries of a log

std::string text_or_empty(const Rows& rows, int row, int column) {
  return rows.null(row, column) ? "" : rows.string(row, column);
}

/// Of `a`; with the time that `since` names.
std::string session_sql(const std::string& since) {
  return "a.pid, a.application_name, a.usename, coalesce(host(a.client_addr), 'local'), to_char(" +
         since +
         " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), extract(epoch FROM "
         "clock_timestamp() - " +
         since + "), left(a.query, 200) ";
}

SessionSeen session_from(const Rows& rows, int row, std::string what) {
  SessionSeen seen;
  if (rows.null(row, 0)) {
    seen.what = std::move(what);
    return seen;
  }
  seen.process = std::stoull(text_or_empty(rows, row, 0));
  seen.application = text_or_empty(rows, row, 1);
  seen.user = text_or_empty(rows, row, 2);
  seen.address = text_or_empty(rows, row, 3);
  seen.since = text_or_empty(rows, row, 4);
  if (!rows.null(row, 5)) seen.seconds = std::stod(rows.string(row, 5));
  seen.query = text_or_empty(rows, row, 6);
  seen.what = std::move(what);
  return seen;
}

constexpr const char* kHere = "(SELECT oid FROM pg_database WHERE datname = current_database())";

/// One database's answers.
class StandingLook {
 public:
  StandingLook(const Plan& plan, const Side& side, std::chrono::seconds limit)
      : number_(plan.name()),
        session_(side.url, "moray-router reshard status", static_cast<int>(limit.count())) {
    session_.answer_until(std::chrono::steady_clock::now() + limit);
    session_.limit_statements(static_cast<std::uint64_t>(std::chrono::milliseconds(limit).count()));
  }

  SideStanding standing() {
    SideStanding found;
    lock(found);
    waits(found);
    if (session_.run("SELECT to_regclass('moray_router.reshard_plan') IS NOT NULL").text(0, 0) !=
        "t")
      return found;
    row(found);
    writers(found);
    log(found);
    return found;
  }

 private:
  void lock(SideStanding& found) {
    const Rows rows = session_.run(
        "SELECT " + session_sql("a.backend_start") +
        "FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.locktype = 'advisory' "
        "AND l.granted AND l.database = " +
        kHere + " AND l.classid = " + std::to_string(kCoordinatorLock) +
        "::oid AND l.objid = " + number_ + "::oid AND l.objsubid = 2");
    if (rows.count() > 0) found.coordinator = session_from(rows, 0, "is the coordinator");
  }

  /// Of the coordinator's own sessions.
  void waits(SideStanding& found) {
    const Rows rows = session_.run(
        "SELECT " + session_sql("a.query_start") +
            "FROM (SELECT DISTINCT unnest(pg_blocking_pids(w.pid)) AS pid FROM pg_stat_activity w "
            "WHERE w.datname = current_database() AND w.application_name = $1 AND "
            "w.wait_event_type = 'Lock') b LEFT JOIN pg_stat_activity a ON a.pid = b.pid LIMIT " +
            std::to_string(kHoldersMost),
        {"moray-router reshard " + number_});
    for (int i = 0; i < rows.count(); ++i)
      found.holders.push_back(session_from(rows, i, "holds a lock that the plan waits for"));
  }

  void row(SideStanding& found) {
    const Rows rows = session_.run(
        "SELECT p.state, p.attempt, p.decided, (SELECT max(q.plan) FROM moray_router.reshard_plan "
        "q WHERE q.reverts = p.plan AND q.state IN ('committed', 'cleaning', 'done')) FROM "
        "moray_router.reshard_plan p WHERE p.plan = $1::bigint",
        {number_});
    if (rows.count() == 0) return;
    found.state = text_or_empty(rows, 0, 0);
    found.attempt = std::stoull(text_or_empty(rows, 0, 1));
    found.decided = rows.text(0, 2) == "t";
    if (!rows.null(0, 3)) found.taken_back_by = std::stoull(rows.string(0, 3));
  }

  /// The barrier is polled: no session waits for these.
  void writers(SideStanding& found) {
    const Rows rows = session_.run(
        "SELECT " + session_sql("a.xact_start") +
            "FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.locktype = "
            "'advisory' AND l.mode = 'ShareLock' AND l.granted AND l.database = " +
            kHere + " AND l.classid = " + std::to_string(kWritersLock) +
            "::oid AND l.objsubid = 2 AND l.objid::bigint IN (SELECT o.plan FROM "
            "moray_router.reshard_vnode o JOIN moray_router.reshard_vnode n ON n.vnode = o.vnode "
            "AND n.plan = $1::bigint) AND a.xact_start < clock_timestamp() - interval '1 s' ORDER "
            "BY a.xact_start LIMIT " +
            std::to_string(kHoldersMost),
        {number_});
    for (int i = 0; i < rows.count() && found.holders.size() < kHoldersMost; ++i)
      found.holders.push_back(
          session_from(rows, i, "has written moving rows in a transaction that is still open"));
  }

  void log(SideStanding& found) {
    const Rows rows = session_.run(
        "SELECT count(*), coalesce(sum(bytes), 0) FROM (SELECT pg_column_size(l.*) AS bytes FROM "
        "moray_router.reshard_log l JOIN moray_router.reshard_vnode v ON v.vnode = l.vnode AND "
        "v.plan = $1::bigint LIMIT " +
            std::to_string(kCountedMost) + ") e",
        {number_});
    found.log_entries = std::stoull(text_or_empty(rows, 0, 0));
    found.log_bytes = std::stoull(text_or_empty(rows, 0, 1));
    found.log_longer = found.log_entries == kCountedMost;
  }

  std::string number_;
  Session session_;
};

}  // namespace

std::array<SideStanding, 2> standing_of(const Plan& plan, std::chrono::seconds limit) {
  const auto look = [&plan, limit](const Side& side) {
    try {
      return StandingLook(plan, side, limit).standing();
    } catch (const std::exception& error) {
      SideStanding away;
      away.problem = error.what();
      if (away.problem.empty()) away.problem = "no answer";
      return away;
    }
  };
  auto source = std::async(std::launch::async, look, std::cref(plan.from));
  SideStanding target = look(plan.to);
  return {source.get(), std::move(target)};
}

std::optional<bool> has_coordinator(const Plan& plan, Act act) {
  const auto held = [&plan](const Side& side) -> std::optional<bool> {
    try {
      Session session(side.url, "moray-router reshard standing", kHeldSeconds);
      session.answer_until(std::chrono::steady_clock::now() + std::chrono::seconds(kHeldSeconds));
      return session
                 .run(
                     "SELECT 1 FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted AND "
                     "l.objsubid = 2 AND l.classid = " +
                     std::to_string(kCoordinatorLock) + "::oid AND l.objid = " + plan.name() +
                     "::oid AND l.database = " + kHere)
                 .count() > 0;
    } catch (const std::exception&) {
      return std::nullopt;
    }
  };
  auto asked = std::async(std::launch::async, held, std::cref(plan.from));
  const auto target = held(plan.to), source = asked.get();
  if (source.value_or(false) || target.value_or(false)) return true;
  return decided_by(act) == Role::source ? source : target;
}

Role decided_by(Act act) {
  return act == Act::soak || act == Act::finalize || act == Act::clean_target ? Role::target
                                                                              : Role::source;
}

Progress believed(Progress recorded, const std::string& source, const std::string& target) {
  const Act act = recorded.act == Act::take_over ? recorded.after_take_over : recorded.act;
  if (act == Act::finished || act == Act::aborted) return recorded;
  const bool ending = act == Act::abort_plan || act == Act::clean_target;
  const auto before = [&](Act least) { return act < least || act >= Act::back_out; };
  const auto at = [&](Act more) {
    recorded.act = more;
    return recorded;
  };
  if (source == "aborted") {
    if (ending) return recorded;
    recorded.give_up = true;
    return at(Act::abort_plan);
  }
  if (source == "cleaning" || source == "done")
    return before(Act::begin_cleanup) ? at(Act::begin_cleanup) : recorded;
  if (target == "committed" || target == "done") {
    // With the source: from before the routers' activation, which may be done twice.
    if (before(Act::soak)) return at(source == "committed" ? Act::unblock : Act::soak);
    return recorded;
  }
  if (source == "committed" && before(Act::wait_commit_flushed))
    return at(Act::wait_commit_flushed);
  return recorded;
}

Act true_act(const Progress& recorded, const std::string& source, const std::string& target) {
  const Act act = recorded.act == Act::take_over ? recorded.after_take_over : recorded.act;
  if (act == Act::finished || act == Act::aborted) return act;
  if (source == "aborted") return target == "aborted" ? Act::aborted : Act::clean_target;
  if (source == "fenced")
    return act >= Act::back_out || (act > Act::fence && act <= Act::commit) ? act
                                                                            : Act::wait_fenced;
  const auto at_least = [act](Act least) {
    return act >= Act::back_out || act < least ? least : act;
  };
  if (source == "done") return at_least(Act::end_cleanup);
  if (source == "cleaning") return at_least(Act::clean);
  if (source != "committed") return act;
  if (target == "done") return at_least(Act::begin_cleanup);
  if (target == "committed") return at_least(Act::unblock);
  return at_least(Act::wait_commit_flushed);
}

}  // namespace reshard
