// What resharding stands on, looked at by identity: tables and their definitions, rows and their
// keys, plans and their vnodes; on a real server.
#include <doctest/doctest.h>

#include "reshard/database.hpp"
#include "reshard/key_scan.hpp"
#include "reshard/schema.hpp"
#include "reshard/table_version.hpp"
#include "reshard/transaction.hpp"
#include "ring/topology.hpp"
#include "tests/contract/postgres_client.hpp"

using backends::postgres::Session;
using backends::postgres::SessionError;
using test_support::FreshDatabase;

namespace {

const std::vector<std::string> kPnodes{"tcp://1", "tcp://2"};
const std::vector<reshard::Relation> kTables{reshard::Relation::named("things")};

std::shared_ptr<const ring::Ring> some_ring() {
  return ring::create_ring(ring::Algorithm::sha256, 64, kPnodes);
}

void make_table(Session& session) {
  session.run_all(
      "CREATE TABLE buckets_config (name text PRIMARY KEY); "
      "CREATE TABLE things (_id bigint, _key text PRIMARY KEY, _vnode bigint, v text); "
      "CREATE INDEX things_v ON things (v)");
  session.run_all(reshard::schema_sql(*some_ring()));
  session.run_all(reshard::table_triggers_sql(session, *reshard::read_table(session, "things")));
  CHECK(reshard::table_triggers_sql(session, *reshard::read_table(session, "things")).empty());
}

std::string version(Session& session) {
  const auto call = reshard::version_call(kTables);
  return session.run(call.sql, call.values).string(0, 0);
}

reshard::Plan plan_of(const FreshDatabase& database, std::uint64_t number, const char* vnodes) {
  reshard::Plan plan;
  plan.number = number;
  plan.token = "token" + std::to_string(number);
  plan.from = {kPnodes[0], database.url(), database.url()};
  plan.to = {kPnodes[1], database.url(), database.url()};
  plan.vnodes = ring::VnodeSet::parse(vnodes);
  return plan;
}

/// The plan's row at its source, made by a coordinator of its own.
void begin(const reshard::Plan& plan) {
  reshard::Database source(plan, reshard::Role::source);
  source.take(false);
  source.make_plan_row("preparing", {}, false);
}

}  // namespace

TEST_CASE("version: whatever a definition is and was shows; what harms no row does not") {
  const FreshDatabase database;
  Session session(database.url(), "test");
  make_table(session);
  const std::string first = version(session);
  for (const char* harmless :
       {"VACUUM ANALYZE things", "COMMENT ON TABLE things IS 'x'",
        "GRANT SELECT ON things TO PUBLIC", "ALTER TABLE things SET (fillfactor = 80)",
        "INSERT INTO things VALUES (1, 'k', 1, 'v')"}) {
    CAPTURE(harmless);
    session.run_all(harmless);
    CHECK(version(session) == first);
  }
  std::string before = first;
  for (const char* change :
       {"BEGIN; ALTER TABLE things DISABLE TRIGGER zzzz_moray_router_reshard; ALTER TABLE things "
        "ENABLE TRIGGER zzzz_moray_router_reshard; COMMIT",
        "BEGIN; ALTER TABLE things ADD COLUMN w text; ALTER TABLE things DROP COLUMN w; COMMIT",
        "ALTER TABLE things ALTER v SET DEFAULT 'x'", "CREATE INDEX more ON things (_id)",
        "ALTER TABLE things ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE things RENAME TO old; CREATE TABLE things (LIKE old INCLUDING ALL)"}) {
    CAPTURE(change);
    session.run_all(change);
    CHECK(version(session) != before);
    before = version(session);
  }
}

TEST_CASE("identity: another table of the same name has another oid; a trigger that is off shows") {
  const FreshDatabase database;
  Session session(database.url(), "test");
  make_table(session);
  const auto oids = reshard::oids_of(
      session, {reshard::Relation::named("things"), reshard::Relation::named("absent")});
  CHECK_FALSE(oids.at(0).empty());
  CHECK(oids.at(1).empty());
  CHECK(reshard::unwatched(session, kTables).empty());
  session.run_all("ALTER TABLE things DISABLE TRIGGER zzzz_moray_router_truncate");
  CHECK(reshard::unwatched(session, kTables) == "things");
  session.run_all("ALTER TABLE things RENAME TO old; CREATE TABLE things (LIKE old)");
  CHECK(reshard::unwatched(session, kTables) == "things");
  CHECK(reshard::oids_of(session, kTables).at(0) != oids.at(0));
}

TEST_CASE("definitions are held: nobody changes them meanwhile, and rows are written") {
  const FreshDatabase database;
  Session holder(database.url(), "test"), other(database.url(), "test");
  make_table(holder);
  holder.run_together(reshard::held_version_calls(kTables));
  other.run_all("INSERT INTO things VALUES (1, 'k', 1, 'v'); SET lock_timeout = '50ms'");
  for (const char* change :
       {"ALTER TABLE things DISABLE TRIGGER zzzz_moray_router_reshard",
        "ALTER TABLE things RENAME TO old", "CREATE INDEX m ON things (_id)"}) {
    CAPTURE(change);
    CHECK_THROWS_AS(other.run_all(change), SessionError);
  }
  holder.run_all("COMMIT");
}

TEST_CASE(
    "definitions are held no longer than the transaction, also where nobody takes its answer") {
  const FreshDatabase database;
  Session holder(database.url(), "test"), other(database.url(), "test");
  make_table(holder);
  other.run_all("SET lock_timeout = '5s'");
  {
    const reshard::Transaction sent(
        holder, reshard::Transaction::Sending{reshard::held_version_calls(kTables)});
  }
  CHECK_NOTHROW(other.run_all("ALTER TABLE things ADD COLUMN one int"));
  reshard::Transaction left(holder, reshard::held_version_calls(kTables));
  left.leave();
  CHECK_NOTHROW(other.run_all("ALTER TABLE things ADD COLUMN two int"));
  CHECK(holder.run("SELECT 1").string(0, 0) == "1");
}

TEST_CASE("a version that is prepared, and has its plan, is that of each moment") {
  const FreshDatabase database;
  Session session(database.url(), "test"), other(database.url(), "test");
  make_table(session);
  const auto call = reshard::version_call(kTables);
  session.prepare(call);
  session.prepare(call);
  session.keep_plans(true);
  const auto prepared = [&] {
    session.send(call);
    return session.receive().string(0, 0);
  };
  CHECK(prepared() == version(other));
  other.run_all("ALTER TABLE things ADD COLUMN w text");
  CHECK(prepared() == version(other));
  other.run_all("ALTER TABLE things RENAME TO old; CREATE TABLE things AS TABLE old");
  CHECK(prepared() == version(other));
  session.keep_plans(false);
  CHECK(session.run("SHOW plan_cache_mode").string(0, 0) == "auto");
}

TEST_CASE("strays: rows of these vnodes by their keys, which say another vnode or none") {
  const FreshDatabase database;
  Session session(database.url(), "test");
  make_table(session);
  const auto ring = some_ring();
  const std::uint64_t own = reshard::vnode_of_key(*ring, "things", "a");
  const auto vnodes = ring::VnodeSet::parse(std::to_string(own));
  session.run_all("SET session_replication_role = replica");
  session.run("INSERT INTO things VALUES (1, 'a', $1::bigint, '')", {std::to_string(own)});
  const auto table = reshard::read_table(session, "things");
  const auto found = [&](reshard::Scan scan) {
    std::vector<std::string> all;
    reshard::find_strays(session, *table, *ring, vnodes, scan, [&](const auto& keys) {
      all.insert(all.end(), keys.begin(), keys.end());
    });
    return all;
  };
  CHECK(found(reshard::Scan::all).empty());
  session.run_all("UPDATE things SET _vnode = NULL");
  CHECK(found(reshard::Scan::without_vnode) == std::vector<std::string>{"a"});
  session.run("UPDATE things SET _vnode = $1::bigint", {std::to_string((own + 1) % 64)});
  CHECK(found(reshard::Scan::without_vnode).empty());
  CHECK(found(reshard::Scan::all) == std::vector<std::string>{"a"});
}

TEST_CASE("plans: a vnode is in one at a time; a snapshot that lacks a plan is refused") {
  const FreshDatabase database;
  Session session(database.url(), "test"), old(database.url(), "test");
  make_table(session);
  session.run_all("INSERT INTO things VALUES (1, 'k', 3, 'v')");
  old.run_all("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM things");
  begin(plan_of(database, 1, "0-9"));
  CHECK_THROWS_WITH_AS(old.run_all("UPDATE things SET v = 'w'"),
                       doctest::Contains("began before a plan was made"), SessionError);
  CHECK_THROWS_WITH_AS(begin(plan_of(database, 2, "9-20")),
                       doctest::Contains("plan 1 has vnodes of plan 2"), reshard::Stuck);
  begin(plan_of(database, 3, "10-20"));
  session.run_all("UPDATE moray_router.reshard_plan SET state = 'done' WHERE plan = 1");
  CHECK_THROWS_WITH_AS(begin(plan_of(database, 4, "9")),
                       doctest::Contains("plan 1 has taken vnodes of plan 4 from the source"),
                       reshard::Stuck);
  session.run_all("UPDATE moray_router.reshard_plan SET state = 'aborted' WHERE plan = 1");
  begin(plan_of(database, 5, "9"));
}

TEST_CASE("schema: an older version's is brought up to date, or left alone where a plan runs") {
  const FreshDatabase database;
  Session session(database.url(), "test");
  session.run_all(
      "CREATE SCHEMA moray_router; CREATE TABLE moray_router.reshard_plan (plan bigint PRIMARY "
      "KEY, "
      "token text NOT NULL, role text NOT NULL, state text NOT NULL, attempt integer NOT NULL "
      "DEFAULT 1, epoch bigint NOT NULL DEFAULT 0, decided boolean NOT NULL DEFAULT false, "
      "generation bigint NOT NULL DEFAULT 0, base_digest text NOT NULL, ring_digest text NOT NULL, "
      "from_pnode text NOT NULL, to_pnode text NOT NULL, changed timestamptz NOT NULL DEFAULT "
      "now()); CREATE TABLE moray_router.reshard_vnode (vnode bigint, plan bigint, PRIMARY KEY "
      "(vnode, plan)); CREATE TABLE moray_router.reshard_log (seq bigserial PRIMARY KEY, plan "
      "bigint "
      "NOT NULL, tbl text NOT NULL, key text NOT NULL); INSERT INTO moray_router.reshard_vnode "
      "VALUES (1, 7); INSERT INTO moray_router.reshard_plan (plan, token, role, state, "
      "base_digest, "
      "ring_digest, from_pnode, to_pnode) VALUES (7, 't', 'source', 'capturing', 'a', 'b', 'x', "
      "'y')");
  try {
    session.run_all(reshard::schema_sql(*some_ring()));
    FAIL("the upgrade went over a plan that is under way");
  } catch (const SessionError& error) {
    CHECK(error.sqlstate == reshard::kOlderPlanState);
    CHECK(std::string(error.what()).find("plan 7 was begun by an older program") !=
          std::string::npos);
  }
  CHECK(session
            .run("SELECT 1 FROM pg_attribute WHERE attrelid = "
                 "'moray_router.reshard_log'::regclass AND attname = 'tbl'")
            .count() == 1);
  session.run_all("UPDATE moray_router.reshard_plan SET state = 'done'");
  session.run_all(reshard::schema_sql(*some_ring()));
  session.run_all(reshard::schema_sql(*some_ring()));
  CHECK(session.run("SELECT vnode, bucket FROM moray_router.reshard_log").count() == 0);
  CHECK(session.run("SELECT 1 FROM moray_router.reshard_plan WHERE reverts = 0").count() == 1);
}
