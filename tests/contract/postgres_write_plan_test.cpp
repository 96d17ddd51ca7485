// Each statement that names a row, or writes what a filter selects, finds it by an index: as
// prepared, with the plan that serves every value.
#include <doctest/doctest.h>

#include "backends/postgres/operations/operations.hpp"
#include "backends/postgres/wire/session.hpp"
#include "tests/contract/postgres_client.hpp"

using namespace test_support;
using backends::Rpc;
using backends::postgres::BucketTable;
using backends::postgres::Log;
using backends::postgres::Statement;
using Client = test_support::PostgresClient;

namespace {

/// The plan of a statement with `$1` … of any value.
std::string plan(backends::postgres::Session& session, const Statement& statement) {
  int parameters = 0;
  for (std::size_t at = 0; (at = statement.sql.find('$', at)) != std::string::npos; ++at)
    parameters = std::max(parameters, std::atoi(statement.sql.c_str() + at + 1));
  std::string nulls;
  for (int i = 0; i < parameters; ++i) nulls += i == 0 ? "'k5'" : ", NULL";
  session.run("PREPARE shape AS " + statement.sql);
  std::string text;
  const auto rows = session.run("EXPLAIN EXECUTE shape(" + nulls + ")");
  for (int i = 0; i < rows.count(); ++i) text += std::string(rows.text(i, 0)) + "\n";
  session.run("DEALLOCATE shape");
  return text;
}

std::shared_ptr<const BucketTable> load(backends::postgres::Session& session,
                                        const std::string& bucket) {
  const auto rows =
      session.run(backends::postgres::kLoadBucket.sql, backends::postgres::load_parameters(bucket));
  REQUIRE(rows.count() == 1);
  return backends::postgres::bucket_table(rows, 0);
}

void check_keyed(backends::postgres::Session& session, const BucketTable& table) {
  std::vector<const Statement*> statements{&table.get};
  for (const auto& shapes : table.writes)
    for (const Statement* each :
         {&shapes.put, &shapes.put_new, &shapes.put_known, &shapes.erase, &shapes.erase_known})
      if (!each->sql.empty()) statements.push_back(each);
  CHECK(statements.size() >= 6);
  for (const Statement* statement : statements) {
    const std::string text = plan(session, *statement);
    CAPTURE(statement->sql);
    CAPTURE(text);
    // By the key, or for a put of a new row by nothing at all but the key's conflict.
    CHECK((text.find(table.bucket.name + "_pkey") != std::string::npos));
    CHECK(text.find("Seq Scan on " + table.bucket.name) == std::string::npos);
  }
}

}  // namespace

TEST_CASE("postgres: gets, puts and deletes of every shape go by the primary key") {
  FreshDatabase cluster;
  boost::asio::io_context loop;
  Client client(loop, cluster.url());
  client.good(Rpc::create_bucket,
              R"(["manta_delete_log",{"index":{"objectId":{"type":"string"}}},{}])");
  client.good(Rpc::create_bucket, R"(["manta_fastdelete_queue",{},{}])");
  client.good(
      Rpc::create_bucket,
      R"(["manta",{"index":{"objectId":{"type":"string"}},"post":["function recordDeleteLog(req, cb) { cb(); }"]},{}])");
  client.good(Rpc::create_bucket, R"(["plain",{"index":{"n":{"type":"number"}}},{}])");
  client.good(Rpc::create_bucket,
              R"(["versioned",{"index":{"n":{"type":"number"}},"options":{"version":1}},{}])");
  client.good(
      Rpc::update_bucket,
      R"(["versioned",{"index":{"n":{"type":"number"},"s":{"type":"string"}},"options":{"version":2}},{}])");
  backends::postgres::Session session(cluster.url(), "test");
  session.run("SET enable_seqscan = off");  // as on pipelined connections
  session.run("SET plan_cache_mode = force_generic_plan");
  for (const char* bucket : {"plain", "versioned", "manta"}) {
    // On an empty table, where they are prepared first, and on a large one.
    check_keyed(session, *load(session, bucket));
    session.run(std::string("INSERT INTO ") + bucket +
                " (_key, _value, _etag, _mtime) SELECT 'k' || i, '{}', 'ABCDEF01', i FROM "
                "generate_series(1, 20000) i");
    session.run(std::string("ANALYZE ") + bucket);
    check_keyed(session, *load(session, bucket));
  }
  CHECK(load(session, "versioned")->has_version);
}

TEST_CASE(
    "postgres: updateObjects and deleteMany find their rows by the filter's index, and write them "
    "by id") {
  FreshDatabase cluster;
  boost::asio::io_context loop;
  Client client(loop, cluster.url());
  client.good(Rpc::create_bucket,
              R"(["b",{"index":{"n":{"type":"number"},"s":{"type":"string"}}},{}])");
  backends::postgres::Session session(cluster.url(), "test");
  session.run(
      "INSERT INTO b (_key, _value, _etag, _mtime, n, s) SELECT 'k' || i, '{}', 'ABCDEF01', i, i, "
      "'s' || i FROM generate_series(1, 20000) i");
  session.run("ANALYZE b");
  const auto table = load(session, "b");
  const objects::JsValue options{objects::JsObject()};
  objects::JsObject fields;
  fields.set("s", "x");
  boost::asio::io_context none;
  backends::postgres::Pool pool(none, {});
  backends::postgres::BucketCache cache(std::make_shared<backends::postgres::BucketChanges>());
  backends::postgres::Work work(pool, cache);
  for (const auto& step :
       {backends::postgres::update_step(work, *table, fields, "(n=5)", options).step,
        backends::postgres::erase_many_step(work, *table, "(n=5)", options)}) {
    std::string sql = step.statement().sql;
    std::string text;
    const auto rows = session.run("EXPLAIN " + sql, step.parameters);
    for (int i = 0; i < rows.count(); ++i) text += std::string(rows.text(i, 0)) + "\n";
    CAPTURE(text);
    CHECK(text.find("b_n_idx") != std::string::npos);
    CHECK(text.find("b__id_idx") != std::string::npos);
    CHECK(text.find("Seq Scan on b") == std::string::npos);
  }
}
