// A server in trouble: what a request is told then, and that nobody else notices.
#include <doctest/doctest.h>

#include <algorithm>
#include <list>
#include <random>

#include "tests/contract/postgres_client.hpp"

using namespace test_support;
using backends::Rpc;
using objects::JsValue;
using Client = test_support::PostgresClient;

namespace {

/// A request that nobody waits for yet.
struct Sent {
  explicit Sent(Client& client, Rpc rpc, const std::string& arguments, std::uint32_t affinity) {
    const std::string text = ShardClient::payload(rpc, arguments);
    const std::string_view piece = text;
    backends::Request request;
    request.rpc = rpc;
    request.pieces = {&piece, 1};
    request.affinity = affinity;
    REQUIRE(client.shard->submit(request, sink).ticket);
  }
  [[nodiscard]] bool done() const { return sink.answer.done; }
  CollectingSink sink;
};

std::string random_text(std::size_t size) {
  static std::mt19937_64 random(1);
  std::string text;
  while (text.size() < size) text += static_cast<char>('a' + random() % 26);
  return text;
}

}  // namespace

TEST_CASE(
    "postgres: a statement that waits for a lock holds up its own vnode, and nobody else for "
    "long") {
  FreshDatabase cluster;
  boost::asio::io_context loop;
  Client client(loop, cluster.url(), 2);
  client.good(Rpc::create_bucket, R"(["b",{},{}])");
  for (const char* key : {"locked", "free"})
    client.good(Rpc::put_object, std::string("[\"b\",\"") + key + R"(",{"n":0},{}])");
  run_until(loop, [&] {
    return client.shard->status().connections >= 3;
  });  // both pipelines, and the one that made the bucket
  PostgresSession other(cluster.url());
  other.run("BEGIN; SELECT 1 FROM b WHERE _key = 'locked' FOR UPDATE");
  Sent first(client, Rpc::put_object, R"(["b","locked",{"n":1},{}])", 0);
  run_for(loop, std::chrono::milliseconds(100));  // noticed after 50 ms
  Sent second(client, Rpc::put_object, R"(["b","locked",{"n":2},{}])", 0);
  std::list<Sent> others;
  for (std::uint32_t affinity = 2; affinity < 12;
       affinity += 2) {  // the same connection's, by number
    others.emplace_back(client, Rpc::put_object, R"(["b","free",{"n":1},{}])", affinity);
    others.emplace_back(client, Rpc::get_object, R"(["b","locked",{}])", affinity);
  }
  run_until(loop, [&] {
    return std::all_of(others.begin(), others.end(), [](const Sent& sent) { return sent.done(); });
  });
  for (const Sent& sent : others) CHECK(sent.sink.answer.error_text() == "");
  CHECK_FALSE(first.done());
  CHECK_FALSE(second.done());
  other.run("ROLLBACK");
  run_until(loop, [&] { return first.done() && second.done(); });
  CHECK(text_of(*client.good(Rpc::get_object, R"(["b","locked",{}])").values[0].get("value"),
                "n") == "2");
}

TEST_CASE(
    "postgres: a find that is given up ends at the server, also where all else waits for its "
    "locks") {
  FreshDatabase cluster;
  boost::asio::io_context loop;
  Client client(loop, cluster.url(), 2), watcher(loop, cluster.url());
  client.good(Rpc::create_bucket, R"(["b",{},{}])");
  client.good(Rpc::put_object, R"(["b","k",{"n":0},{}])");
  PostgresSession other(cluster.url());
  other.run("BEGIN; LOCK TABLE b");
  std::list<Sent> puts;  // on both pipelines
  for (std::uint32_t affinity = 0; affinity < 2; ++affinity)
    puts.emplace_back(client, Rpc::put_object, R"(["b","k",{"n":1},{}])", affinity);
  const auto finds = [&] {
    return watcher
        .sql(
            "SELECT FROM pg_stat_activity WHERE datname = current_database() AND "
            "wait_event_type = 'Lock' AND query LIKE 'SELECT (SELECT count(%'")
        .size();
  };
  Sent find(client, Rpc::find_objects, R"x(["b","(_key=k)",{"timeout":300}])x", 0);
  run_until(loop, [&] { return finds() == 1; });
  run_until(loop, [&] { return find.done(); });
  CHECK(find.sink.answer.error_text().starts_with("QueryTimeoutError"));
  run_until(loop, [&] { return finds() == 0; });
  for (const Sent& put : puts) CHECK_FALSE(put.done());
  other.run("ROLLBACK");
  run_until(loop, [&] { return puts.front().done() && puts.back().done(); });
  client.good(Rpc::find_objects, R"x(["b","(_key=k)",{}])x");
}

TEST_CASE(
    "postgres: without an options.timeout a lock is waited for as long as the pool says, and no "
    "longer") {
  FreshDatabase cluster;
  boost::asio::io_context loop;
  backends::postgres::PostgresShardOptions options;
  options.pool.url = cluster.url();
  options.pool.point_connections = 1;
  options.pool.point_limit = std::chrono::milliseconds(1000);
  backends::postgres::PostgresShard shard(loop, options);
  ShardClient client(shard, loop);
  CHECK(client.call(Rpc::create_bucket, R"(["b",{},{}])").error_text() == "");
  CHECK(client.call(Rpc::put_object, R"(["b","k",{"n":1},{}])").error_text() == "");
  PostgresSession other(cluster.url());
  other.run("BEGIN; SELECT 1 FROM b WHERE _key = 'k' FOR UPDATE");
  CHECK(client.call(Rpc::put_object, R"(["b","k",{"n":2},{}])")
            .error_text()
            .find("QueryTimeoutError: query timeout: ") == 0);
  other.run("ROLLBACK");
  CHECK(text_of(*client.call(Rpc::get_object, R"(["b","k",{}])").values[0].get("value"), "n") ==
        "1");
}

TEST_CASE("postgres: more connections than the server takes") {
  PostgresCluster cluster;
  cluster.stop();
  cluster.start("-c max_connections=8 -c superuser_reserved_connections=0");
  boost::asio::io_context loop;
  Client first(loop, cluster.url(), 4);
  first.good(Rpc::create_bucket, R"(["b",{},{}])");
  Client second(loop, cluster.url(), 16);  // gets what is left, and serves with it
  second.good(Rpc::put_object, R"(["b","k",{},{}])");
  // One that comes up clears the problem, the next that does not tells it again.
  run_until(loop, [&] {
    return second.shard->status().last_problem.find("too many clients") != std::string::npos;
  });
  std::list<Sent> all;
  for (std::uint32_t i = 0; i < 200; ++i)
    all.emplace_back(second, Rpc::get_object, R"(["b","k",{}])", i);
  run_until(loop, [&] {
    return std::all_of(all.begin(), all.end(), [](const Sent& sent) { return sent.done(); });
  });
  for (const Sent& sent : all) CHECK(sent.sink.answer.error_text() == "");
  // No connection is left for a find: it is told so, at once.
  const Answer found = second.call(Rpc::find_objects, R"x(["b","(_key=k)",{}])x");
  CHECK((found.values.size() == 1 || found.failure.has_value()));
}

TEST_CASE("postgres: a server that restarts in good order") {
  PostgresCluster cluster;
  boost::asio::io_context loop;
  Client client(loop, cluster.url(), 2);
  client.good(Rpc::create_bucket, R"(["b",{},{}])");
  client.good(Rpc::put_object, R"(["b","k",{"n":1},{}])");
  PostgresSession other(cluster.url());
  other.run("BEGIN; SELECT 1 FROM b WHERE _key = 'k' FOR UPDATE");
  Sent waiting(client, Rpc::put_object, R"(["b","k",{"n":2},{}])", 0);
  run_for(loop, std::chrono::milliseconds(50));
  cluster.stop();
  run_until(loop, [&] { return waiting.done(); });
  // The server ends the session that holds the lock too: should that come first, the put may still
  // be done.
  const std::string verdict = waiting.sink.answer.error_text();
  CHECK((verdict.empty() || verdict.find("VError: Postgres client failed: ") == 0));
  run_until(loop, [&] { return !client.shard->healthy(); });
  CHECK(client.call(Rpc::put_object, R"(["b","k",{"n":3},{}])").failure.has_value());
  cluster.start();
  run_until(loop, [&] { return client.shard->healthy(); });
  CHECK(text_of(*client.good(Rpc::get_object, R"(["b","k",{}])").values[0].get("value"), "n") ==
        (verdict.empty() ? "2" : "1"));
}

TEST_CASE("postgres: a server without room refuses what it cannot keep, and keeps what it took") {
  PostgresCluster cluster;
  boost::asio::io_context loop;
  {
    Client client(loop, cluster.url(), 1);
    client.good(Rpc::create_bucket, R"(["b",{},{}])");
    client.good(Rpc::create_bucket, R"(["other",{},{}])");
  }
  // Files end at 20 MiB: more than a segment of the log, less than the table will need.
  cluster.limit_file_size(std::to_string(20u << 20));
  std::size_t taken = 0;
  {
    Client client(loop, cluster.url(), 1);
    const auto put = [&](std::size_t i) {
      return client
          .call(Rpc::put_object, "[\"b\",\"k" + std::to_string(i) + "\",{\"text\":\"" +
                                     random_text(200'000) + "\"},{}]")
          .error_text();
    };
    std::string error;
    while (taken < 300 && (error = put(taken)).empty()) ++taken;
    CAPTURE(taken);
    CHECK(error.find("error: could not extend file") == 0);
    CHECK(put(taken).find("could not extend file") != std::string::npos);
    const Answer batch = client.call(
        Rpc::batch,
        R"([[{"bucket":"other","key":"k","value":{}},{"bucket":"b","key":"x","value":{"text":")" +
            random_text(200'000) + R"("}}],{}])");
    CHECK(batch.error.has_value());
    CHECK(client.call(Rpc::get_object, R"(["other","k",{}])").error_text() ==
          "ObjectNotFoundError: other::k does not exist");
    client.good(Rpc::put_object, R"(["other","k",{"n":1},{}])");  // another table has room
    client.good(Rpc::get_object, R"(["b","k0",{}])");
  }
  cluster.limit_file_size("unlimited");
  Client client(loop, cluster.url(), 1);
  client.good(Rpc::put_object, "[\"b\",\"more\",{\"text\":\"" + random_text(200'000) + "\"},{}]");
  CHECK(client.sql("SELECT count(*) AS n FROM b WHERE _key ~ '^k[0-9]+$'").size() == 1);
  CHECK(text_of(client.sql("SELECT count(*) AS n FROM b WHERE _key ~ '^k[0-9]+$'")[0], "n") ==
        std::to_string(taken));
}

TEST_CASE(
    "postgres: an index of `_idx` that is still being built, or whose building failed, is not "
    "used") {
  FreshDatabase cluster;
  boost::asio::io_context loop;
  Client client(loop, cluster.url());
  client.good(Rpc::create_bucket, R"(["b",{},{}])");
  client.good(Rpc::put_object, R"(["b","k",{},{}])");
  client.good(Rpc::put_object, R"(["b","l",{},{}])");
  PostgresSession other(cluster.url());
  other.run("ALTER TABLE b ADD COLUMN _idx BIGINT DEFAULT 7");
  // Two rows of one value: the unique index can't be built, and is left behind, not valid.
  PGconn* builder = PQconnectdb(cluster.url().c_str());
  PQclear(PQexec(builder, "CREATE UNIQUE INDEX CONCURRENTLY b__idx_idx ON b (_idx)"));
  PQfinish(builder);
  Client fresh(loop, cluster.url());
  const Answer found = fresh.good(Rpc::find_objects, R"x(["b","(_key=k)",{}])x");
  REQUIRE(found.values.size() == 1);
  CHECK(text_of(found.values[0], "_id") == "1");
  CHECK(fresh.good(Rpc::find_objects, R"x(["b","(_id=7)",{}])x").values.empty());
}

TEST_CASE("postgres: a table changed by another client in between") {
  FreshDatabase cluster;
  boost::asio::io_context loop;
  Client client(loop, cluster.url());
  client.good(Rpc::create_bucket, R"(["b",{"index":{"n":{"type":"number"}}},{}])");
  client.good(Rpc::put_object, R"(["b","k",{"n":1},{}])");
  PostgresSession other(cluster.url());
  const auto works = [&] {
    client.good(Rpc::put_object, R"(["b","k",{"n":1},{}])");
    client.good(Rpc::put_object,
                R"(["b","k",{"n":1},{"etag":")" +
                    text_of(client.good(Rpc::get_object, R"(["b","k",{}])").values[0], "_etag") +
                    "\"}]");
    CHECK(client.good(Rpc::find_objects, R"x(["b","(n=1)",{}])x").values.size() == 1);
    client.good(
        Rpc::batch,
        R"([[{"bucket":"b","key":"x","value":{}},{"bucket":"b","operation":"delete","key":"x"}],{}])");
  };
  works();
  other.run("ALTER TABLE b ADD COLUMN more TEXT");
  works();
  other.run("ALTER TABLE b ADD COLUMN _rver INTEGER");
  works();
  other.run("ALTER TABLE b ALTER COLUMN _key TYPE VARCHAR(100)");
  works();
  other.run("DROP INDEX b_n_idx; CREATE INDEX ON b (n)");
  works();
  other.run("ALTER TABLE b DROP COLUMN _rver");
  works();
  other.run(
      "BEGIN; CREATE TABLE c (LIKE b INCLUDING ALL); INSERT INTO c SELECT * FROM b; DROP TABLE b; "
      "ALTER TABLE c RENAME TO b; COMMIT");
  works();
}

TEST_CASE("postgres: what keeps a batch from its beginning is named") {
  FreshDatabase cluster;
  PostgresSession other(cluster.url());
  // A server that refuses what is set for one transaction, and that alone.
  other.run(
      "CREATE SCHEMA refusing; CREATE FUNCTION refusing.set_config(text, text, boolean) RETURNS "
      "text LANGUAGE plpgsql AS $$ BEGIN IF $3 THEN RAISE EXCEPTION 'not for one transaction'; END "
      "IF; RETURN pg_catalog.set_config($1, $2, $3); END $$");
  other.run(
      "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = refusing, pg_catalog, "
      "public', current_database()); END $$");
  boost::asio::io_context loop;
  Client client(loop, cluster.url());
  client.good(Rpc::create_bucket, R"(["b",{},{}])");
  const char* const batches[] = {
      R"([[{"bucket":"b","key":"k","value":{},"options":{"etag":null}}],{}])",  // in a transaction
      R"([[{"bucket":"b","key":"k","value":{}}],{"timeout":60000}])"};
  for (const char* batch : batches)
    CHECK(client.call(Rpc::batch, batch).error_text() == "error: not for one transaction");
  CHECK(client.call(Rpc::get_object, R"(["b","k",{}])").error_text().starts_with("ObjectNot"));
}

TEST_CASE(
    "postgres: host names are looked up for each connection, and a URL keeps its own meaning") {
  using backends::postgres::Host;
  using backends::postgres::named_hosts;
  CHECK(named_hosts("postgresql://moray@10.0.0.1,[::1]:5/moray").empty());
  CHECK(named_hosts("host=/var/run/postgresql dbname=moray").empty());
  CHECK(named_hosts("host=a hostaddr=10.0.0.1").empty());
  CHECK(named_hosts("service=moray").empty());
  CHECK(named_hosts("postgresql://moray@a:1,10.0.0.2,b:3/moray") ==
        std::vector<Host>{{"a", "1", ""}, {"10.0.0.2", "", "10.0.0.2"}, {"b", "3", ""}});
  CHECK(named_hosts("host=a,b port=7") == std::vector<Host>{{"a", "7", ""}, {"b", "7", ""}});
  PostgresCluster cluster;
  boost::asio::io_context loop;
  std::string url = cluster.url();
  url.replace(url.find("127.0.0.1"), 9, "localhost");
  Client client(loop, url);
  client.good(Rpc::ping, R"([{"deep":true}])");
  backends::postgres::PostgresShardOptions options;
  options.pool.url = "postgresql://moray@no-such-host.invalid/moray";
  backends::postgres::PostgresShard shard(loop, options);
  run_until(loop, [&] { return !shard.status().last_problem.empty(); });
  CHECK(shard.status().last_problem.find("host name \"no-such-host.invalid\"") !=
        std::string::npos);
}

TEST_CASE(
    "postgres: a server that takes no writes any more is left, and taken again when it does") {
  PostgresCluster cluster;
  boost::asio::io_context loop;
  Client client(loop, cluster.url(), 2);
  client.good(Rpc::create_bucket, R"(["b",{},{}])");
  client.good(Rpc::put_object, R"(["b","k",{"n":1},{}])");
  PostgresSession other(cluster.url());
  other.run("SET default_transaction_read_only = off");
  other.run("ALTER SYSTEM SET default_transaction_read_only = on");
  other.run("SELECT pg_reload_conf()");
  std::string said;
  run_until(loop, [&] {
    return !(said = client.call(Rpc::put_object, R"(["b","k",{"n":2},{}])").error_text()).empty();
  });
  CHECK(said == "error: cannot execute INSERT in a read-only transaction");
  run_until(loop, [&] {
    return !client.shard->healthy() &&
           client.shard->status().last_problem.find("read-only") != std::string::npos;
  });
  CHECK(client.call(Rpc::put_object, R"(["b","k",{"n":3},{}])").failure.has_value());
  other.run("ALTER SYSTEM RESET default_transaction_read_only");
  other.run("SELECT pg_reload_conf()");
  run_until(loop, [&] { return client.shard->healthy(); });
  client.good(Rpc::put_object, R"(["b","k",{"n":4},{}])");
  CHECK(text_of(*client.good(Rpc::get_object, R"(["b","k",{}])").values[0].get("value"), "n") ==
        "4");
}
