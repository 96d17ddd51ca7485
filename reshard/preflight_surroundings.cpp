#include "reshard/preflight_surroundings.hpp"

#include <array>
#include <map>

#include "reshard/preflight_dump_lock.hpp"

namespace reshard {
namespace {

using backends::postgres::Rows;
using backends::postgres::Session;
using backends::postgres::SessionError;

constexpr int kAsked = 5;
constexpr const char* kLong = "10 s";  ///< a transaction that is older will be in the way

/// A setting of other sessions than this program's, and what it means if the two sides differ.
struct Surrounding {
  const char* name;
  const char* means;
};
constexpr std::array<Surrounding, 12> kSurroundings{{
    {"TimeZone", "times that triggers and defaults make of a clock differ"},
    {"DateStyle", "dates that clients' own SQL writes are read otherwise"},
    {"IntervalStyle", "intervals are written otherwise"},
    {"standard_conforming_strings", "backslashes in clients' own SQL mean something else"},
    {"lc_monetary", "money is written otherwise"},
    {"default_text_search_config", "texts are searched otherwise"},
    {"default_transaction_isolation", "transactions of others see other snapshots"},
    {"search_path", "other programs may find other tables"},
    {"statement_timeout", "statements of others end earlier, or later"},
    {"lock_timeout", "statements of others wait for locks for another time"},
    {"row_security", "others may see other rows"},
    {"synchronous_commit", "what is acknowledged to others is not as durable"},
}};

std::string where(Database& side) {
  return std::string(side.role_name()) + " " + side.side().pnode + ": ";
}

/// A second session next to the first, each asked in turn: in a session of one's own the process
/// stays the same, and is nobody else's.
void pooler(Database& side, Preflight& found) {
  Session other(side.side().url, "moray-router reshard plan");
  std::array<std::string, 2> first;
  bool shared = false;
  for (int i = 0; i < kAsked; ++i) {
    int at = 0;
    for (Session* each : {&side.owner(), &other}) {
      const std::string now = each->run("SELECT pg_backend_pid()").string(0, 0);
      std::string& before = first.at(static_cast<std::size_t>(at++));
      if (before.empty()) before = now;
      shared = shared || before != now;
    }
  }
  if (shared || first[0] == first[1])
    found.obstacles.push_back(
        {where(side) + "a pooler in transaction mode is between: a session's locks, settings and "
                       "temporary tables are another one's a moment later",
         "name the server itself in the URL, or a pooler in session mode"});
}

std::map<std::string, std::string> settings_of(Session& session) {
  std::map<std::string, std::string> settings;
  const Rows rows = session.run("SELECT name, reset_val FROM pg_settings");
  for (int i = 0; i < rows.count(); ++i)
    settings[rows.string(i, 0)] = rows.value(i, 1).value_or("");
  return settings;
}

void settings(Database& source, Database& target, Preflight& found) {
  auto here = settings_of(source.owner()), there = settings_of(target.owner());
  for (const Surrounding& each : kSurroundings)
    if (here[each.name] != there[each.name])
      found.warnings.push_back(std::string("setting ") + each.name + " is " + here[each.name] +
                               " at the source and " + there[each.name] +
                               " at the target: " + each.means);
}

void locales(Database& source, Database& target, Preflight& found) {
  const auto ask = [](Database& side) {
    return side.owner().run(
        "SELECT datcollate, datctype, pg_encoding_to_char(encoding), current_setting("
        "'server_version_num')::int / 10000 FROM pg_database WHERE datname = current_database()");
  };
  const Rows here = ask(source), there = ask(target);
  const auto differ = [&](int column, const char* what, const char* means) {
    if (here.text(0, column) != there.text(0, column))
      found.warnings.push_back(std::string(what) + " is " + here.string(0, column) +
                               " at the source and " + there.string(0, column) +
                               " at the target: " + means);
  };
  differ(0, "the databases' collation",
         "texts sort otherwise, also in finds that name no collation");
  differ(1, "the databases' character classes", "lower() and patterns may find other texts");
  differ(3, "PostgreSQL's version", "statements may be planned otherwise");
}

void extensions(Database& source, Database& target, Preflight& found) {
  std::map<std::string, std::string> there;
  const Rows rows = target.owner().run("SELECT extname, extversion FROM pg_extension");
  for (int i = 0; i < rows.count(); ++i) there[rows.string(i, 0)] = rows.string(i, 1);
  const Rows here = source.owner().run("SELECT extname, extversion FROM pg_extension");
  for (int i = 0; i < here.count(); ++i) {
    const auto other = there.find(here.string(i, 0));
    if (other != there.end() && other->second != here.text(i, 1))
      found.warnings.push_back("extension " + other->first + " is of version " + here.string(i, 1) +
                               " at the source and " + other->second +
                               " at the target: its functions may answer otherwise");
  }
}

/// The fence waits for whatever writes; a trigger is made when nobody writes to its table.
void old_transactions(Database& side, Preflight& found) {
  const Rows prepared = side.apply().run(
      "SELECT gid, owner, to_char(prepared AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') "
      "FROM pg_prepared_xacts WHERE database = current_database() ORDER BY prepared LIMIT 3");
  for (int i = 0; i < prepared.count(); ++i)
    found.warnings.push_back(where(side) + "transaction " + prepared.string(i, 0) + " of " +
                             prepared.string(i, 1) + " is prepared since " + prepared.string(i, 2) +
                             ": if it has written to a bucket, it is waited for until it ends");
  const Rows open = side.apply().run(
      std::string("SELECT DISTINCT a.pid, a.application_name, a.usename, a.state, round(extract("
                  "epoch FROM clock_timestamp() - a.xact_start)), l.relation::regclass FROM "
                  "pg_stat_activity a JOIN pg_locks l ON l.pid = a.pid AND l.locktype = 'relation' "
                  "AND l.mode NOT IN ('AccessShareLock', 'RowShareLock') JOIN pg_class c ON c.oid "
                  "= l.relation AND c.relkind IN ('r', 'p') AND c.relnamespace <> "
                  "'pg_catalog'::regnamespace WHERE a.datname = current_database() AND "
                  "a.xact_start < clock_timestamp() - interval '") +
      kLong +
      "' AND a.pid <> pg_backend_pid() AND l.database = (SELECT oid FROM pg_database WHERE "
      "datname = current_database()) ORDER BY 5 DESC LIMIT 3");
  for (int i = 0; i < open.count(); ++i)
    found.warnings.push_back(
        where(side) + "process " + open.string(i, 0) + " (" + open.string(i, 1) + ", user " +
        open.string(i, 2) + ", " + open.string(i, 3) + ") has had table " + open.string(i, 5) +
        " locked for " + open.string(i, 4) + " s: triggers can be put on it only when it ends");
}

}  // namespace

void look_at_surroundings(Database& source, Database& target, Preflight& found) {
  for (Database* each : {&source, &target}) {
    pooler(*each, found);
    old_transactions(*each, found);
    look_at_dumps(*each, found);
    const Rows may = each->apply().run(
        "SELECT has_database_privilege(current_database(), 'TEMP'), current_user");
    if (may.text(0, 0) == "f")
      found.obstacles.push_back({where(*each) + may.string(0, 1) + " may not make temporary tables",
                                 "GRANT TEMPORARY ON DATABASE … TO " + may.string(0, 1)});
  }
  look_at_dump_lock(source.plan(), found);
  settings(source, target, found);
  locales(source, target, found);
  extensions(source, target, found);
}

}  // namespace reshard
