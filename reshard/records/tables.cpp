#include "reshard/records/tables.hpp"

#include "backends/postgres/wire/connection_words.hpp"
#include "reshard/schema.hpp"
#include "reshard/transaction.hpp"

namespace reshard::kept {
namespace {

using backends::postgres::Parameters;
using backends::postgres::Rows;
using backends::postgres::Session;

constexpr const char* kTables = R"sql(
CREATE SCHEMA IF NOT EXISTS moray_router;
-- A plan as it was made, without passwords; and by how many coordinators it has been taken here.
CREATE TABLE IF NOT EXISTS moray_router.reshard_definition (
  plan bigint PRIMARY KEY, token text NOT NULL, epoch bigint NOT NULL DEFAULT 0,
  definition jsonb NOT NULL, made timestamp with time zone NOT NULL DEFAULT now());
CREATE TABLE IF NOT EXISTS moray_router.reshard_journal (
  plan bigint NOT NULL, seq bigint NOT NULL, at timestamp with time zone NOT NULL DEFAULT now(),
  author text NOT NULL, record jsonb NOT NULL, PRIMARY KEY (plan, seq));
-- What people ask of a plan's coordinator, or have taken back; the greater number is the newer.
CREATE TABLE IF NOT EXISTS moray_router.reshard_ask (
  plan bigint NOT NULL, name text NOT NULL, number bigint NOT NULL, asked boolean NOT NULL,
  value text NOT NULL, at timestamp with time zone NOT NULL DEFAULT now(),
  PRIMARY KEY (plan, name));
-- What a coordinator shows of itself. Nothing goes by it.
CREATE TABLE IF NOT EXISTS moray_router.reshard_shown (
  plan bigint PRIMARY KEY, epoch bigint NOT NULL, shown text NOT NULL,
  at timestamp with time zone NOT NULL DEFAULT now());
)sql";

bool has_tables(Session& session) {
  return session.run("SELECT to_regclass('moray_router.reshard_definition') IS NOT NULL")
             .text(0, 0) == "t";
}

std::string number(const Plan& plan) { return std::to_string(plan.number); }

/// What can be known without these words is known by the host that goes on.
std::string without_passwords(const Plan& plan) {
  Plan kept = plan;
  for (Side* side : {&kept.from, &kept.to}) {
    const bool same = side->apply == side->url;
    side->url.clear();
    side->apply = same ? "" : backends::postgres::connection_words(side->apply).words;
  }
  kept.ring_location.clear();
  return to_json_text(kept);
}

}  // namespace

void merge(Asks& into, const Asks& others) {
  for (const auto& [name, ask] : others) {
    Ask& there = into[name];
    const bool newer = ask.number > there.number || (ask.number == there.number && ask.asked);
    if (newer) there = ask;
  }
}

std::vector<Definition> definitions(Session& session) {
  return unless_absent(std::vector<Definition>(), [&] {
    const Rows rows = session.run(
        "SELECT plan, token, definition::text FROM moray_router.reshard_definition ORDER BY 1");
    std::vector<Definition> all;
    for (int i = 0; i < rows.count(); ++i)
      all.push_back({std::stoull(rows.string(i, 0)), rows.string(i, 1), rows.string(i, 2)});
    return all;
  });
}

bool keep_definition(Session& session, const Plan& plan, std::uint64_t epoch,
                     const std::string& first) {
  Transaction transaction(session,
                          "BEGIN; SET LOCAL lock_timeout = '5s'; SELECT "
                          "pg_advisory_xact_lock(" +
                              std::to_string(kCoordinatorLock) + ", 0)");
  if (!has_tables(session)) session.run_all(kTables);
  const Rows made = session.run(
      "INSERT INTO moray_router.reshard_definition (plan, token, epoch, definition) VALUES "
      "($1::bigint, $2, $3::bigint, $4::jsonb) ON CONFLICT (plan) DO NOTHING",
      {number(plan), plan.token, std::to_string(epoch), without_passwords(plan)});
  if (made.affected() != "1") {
    const Rows there =
        session.run("SELECT token FROM moray_router.reshard_definition WHERE plan = $1::bigint",
                    {number(plan)});
    return there.count() == 1 && there.text(0, 0) == plan.token;
  }
  if (!first.empty())
    session.run(
        "INSERT INTO moray_router.reshard_journal (plan, seq, author, record) VALUES ($1::bigint, "
        "1, $2, $3::jsonb)",
        {number(plan), this_author(), first});
  transaction.commit();
  return true;
}

std::uint64_t epoch_of(Session& session, const Plan& plan) {
  if (!has_tables(session)) return 0;
  const Rows rows = session.run(
      "SELECT epoch FROM moray_router.reshard_definition WHERE plan = $1::bigint AND token = $2",
      {number(plan), plan.token});
  return rows.count() == 0 ? 0 : std::stoull(rows.string(0, 0));
}

void set_epoch(Session& session, const Plan& plan, std::uint64_t epoch) {
  if (!has_tables(session)) return;
  session.run(
      "UPDATE moray_router.reshard_definition SET epoch = $3::bigint WHERE plan = $1::bigint AND "
      "token = $2",
      {number(plan), plan.token, std::to_string(epoch)});
}

Lines lines(Session& session, const Plan& plan) {
  return unless_absent(Lines(), [&] {
    const Rows rows = session.run(
        "SELECT j.seq, j.record::text FROM moray_router.reshard_journal j JOIN "
        "moray_router.reshard_definition d ON d.plan = j.plan AND d.token = $2 WHERE j.plan = "
        "$1::bigint",
        {number(plan), plan.token});
    Lines all;
    for (int i = 0; i < rows.count(); ++i)
      all.emplace(std::stoull(rows.string(i, 0)), rows.string(i, 1));
    return all;
  });
}

/// The row of the definition is shared until the line is committed, so that a coordinator that
/// raises the epoch meanwhile comes after it.
bool append(Session& session, const Plan& plan, std::uint64_t epoch, std::uint64_t seq,
            const std::string& line) {
  return session
             .run(
                 "INSERT INTO moray_router.reshard_journal (plan, seq, author, record) SELECT "
                 "d.plan, $3::bigint, $4, $5::jsonb FROM moray_router.reshard_definition d WHERE "
                 "d.plan = $1::bigint AND d.token = $2 AND d.epoch = $6::bigint FOR SHARE",
                 {number(plan), plan.token, std::to_string(seq), this_author(), line,
                  std::to_string(epoch)})
             .affected() == "1";
}

void copy(Session& session, const Plan& plan, const Lines& lines) {
  for (const auto& [seq, line] : lines)
    session.run(
        "INSERT INTO moray_router.reshard_journal (plan, seq, author, record) VALUES ($1::bigint, "
        "$2::bigint, $3, $4::jsonb) ON CONFLICT (plan, seq) DO NOTHING",
        {number(plan), std::to_string(seq), this_author(), line});
}

std::string row_state(Session& session, const Plan& plan) {
  return unless_absent(std::string(), [&] {
    const Rows rows = session.run(
        "SELECT state FROM moray_router.reshard_plan WHERE plan = $1::bigint AND token = $2",
        {number(plan), plan.token});
    return rows.count() == 0 ? std::string() : rows.string(0, 0);
  });
}

Asks asks(Session& session, const Plan& plan) {
  return unless_absent(Asks(), [&] {
    const Rows rows = session.run(
        "SELECT a.name, a.number, a.asked, a.value FROM moray_router.reshard_ask a JOIN "
        "moray_router.reshard_definition d ON d.plan = a.plan AND d.token = $2 WHERE a.plan = "
        "$1::bigint",
        {number(plan), plan.token});
    Asks all;
    for (int i = 0; i < rows.count(); ++i)
      all[rows.string(i, 0)] = {std::stoull(rows.string(i, 1)), rows.text(i, 2) == "t",
                                rows.string(i, 3)};
    return all;
  });
}

void put(Session& session, const Plan& plan, const Asks& asks) {
  for (const auto& [name, ask] : asks)
    session.run(
        "INSERT INTO moray_router.reshard_ask AS a (plan, name, number, asked, value) SELECT "
        "d.plan, $3, $4::bigint, $5::boolean, $6 FROM moray_router.reshard_definition d WHERE "
        "d.plan = $1::bigint AND d.token = $2 ON CONFLICT (plan, name) DO UPDATE SET number = "
        "excluded.number, asked = excluded.asked, value = excluded.value, at = now() WHERE "
        "a.number < excluded.number",
        {number(plan), plan.token, name, std::to_string(ask.number), ask.asked ? "true" : "false",
         ask.value});
}

std::string shown(Session& session, const Plan& plan) {
  return unless_absent(std::string(), [&] {
    const Rows rows = session.run(
        "SELECT s.shown FROM moray_router.reshard_shown s JOIN moray_router.reshard_definition d "
        "ON d.plan = s.plan AND d.token = $2 WHERE s.plan = $1::bigint",
        {number(plan), plan.token});
    return rows.count() == 0 ? std::string() : rows.string(0, 0);
  });
}

void show(Session& session, const Plan& plan, const std::string& text,
          std::optional<std::uint64_t> epoch) {
  session.run(
      "INSERT INTO moray_router.reshard_shown AS s (plan, epoch, shown) SELECT d.plan, "
      "coalesce($4::bigint, 0), $3 FROM moray_router.reshard_definition d WHERE d.plan = "
      "$1::bigint AND d.token = $2 ON CONFLICT (plan) DO UPDATE SET epoch = greatest(s.epoch, "
      "excluded.epoch), shown = excluded.shown, at = now() WHERE s.epoch <= $4::bigint OR ($4 IS "
      "NULL AND s.at < now() - interval '5 s')",
      {number(plan), plan.token, text,
       epoch ? std::optional(std::to_string(*epoch)) : std::nullopt});
}

void forget(Session& session, const Plan& plan) {
  if (!has_tables(session)) return;
  const std::string taken_back =
      session.run("SELECT to_regclass('moray_router.reshard_plan') IS NULL").text(0, 0) == "t"
          ? "false"
          : "NOT EXISTS (SELECT 1 FROM moray_router.reshard_plan p WHERE p.plan = $2::bigint)";
  Transaction transaction(session);
  for (const char* table :
       {"reshard_shown", "reshard_ask", "reshard_journal", "reshard_definition"})
    session.run(std::string("DELETE FROM moray_router.") + table +
                    " WHERE plan = $1::bigint OR (plan = $2::bigint AND " + taken_back + ")",
                {number(plan), std::to_string(plan.reverts)});
  transaction.commit();
}

std::optional<std::uint64_t> plan_beside(Session& session, const Plan& plan) {
  if (!has_tables(session)) return std::nullopt;
  const Rows rows = session.run(
      "SELECT min(plan) FROM moray_router.reshard_definition WHERE plan NOT IN ($1::bigint, "
      "$2::bigint)",
      {number(plan), std::to_string(plan.reverts)});
  if (rows.null(0, 0)) return std::nullopt;
  return std::stoull(rows.string(0, 0));
}

}  // namespace reshard::kept
