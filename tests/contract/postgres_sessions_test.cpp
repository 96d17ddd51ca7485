// Clients' own SQL: what this protocol can't serve, and what it must not leave behind. Values that
// end or change on their way.
#include <doctest/doctest.h>

#include <algorithm>
#include <list>

#include "tests/contract/postgres_client.hpp"

using namespace test_support;
using backends::Rpc;
using backends::postgres::BucketChanges;
using backends::postgres::PostgresShard;
using objects::JsArray;
using objects::JsObject;
using objects::JsValue;
using Client = test_support::PostgresClient;

namespace {

std::string error_of(Client& client, const std::string& statement, JsArray values = {}) {
  return client
      .call(Rpc::sql, objects::stringify(JsArray{statement, std::move(values), JsObject()}))
      .error_text();
}

/// The one value of a statement's one row.
std::string only(Client& client, const std::string& statement) {
  const auto rows = client.sql(statement);
  REQUIRE(rows.size() == 1);
  return text_of(rows[0], "v");
}

}  // namespace

TEST_CASE("postgres sql: COPY is refused by name, whichever way it goes, and nothing is done") {
  FreshDatabase database;
  boost::asio::io_context loop;
  Client client(loop, database.url());
  client.sql("CREATE TABLE t (n int)");
  for (const char* copy : {"COPY t TO STDOUT", "COPY t FROM STDIN",
                           "INSERT INTO t VALUES (1); COPY t TO STDOUT; INSERT INTO t VALUES (2)"})
    CHECK(error_of(client, copy) == "error: COPY to or from a client is not served by sql");
  CHECK(error_of(client, "COPY (SELECT $1::int) TO STDOUT", {1.0}) != "");
  CHECK(client.sql("SELECT n FROM t").empty());
}

TEST_CASE("postgres sql: the next one on a session finds nothing of the one before") {
  FreshDatabase database;
  boost::asio::io_context loop;
  Client client(loop, database.url());
  client.good(Rpc::create_bucket, R"(["b",{"index":{"n":{"type":"number"}}},{}])");
  const std::string path = only(client, "SELECT current_setting('search_path') AS v");
  for (const char* dirty :
       {"SET search_path TO nowhere", "SET TimeZone TO 'Asia/Tokyo'", "SET statement_timeout TO 1",
        "SET default_transaction_read_only TO on", "SET client_encoding TO 'LATIN1'",
        "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        "CREATE TEMPORARY TABLE b (LIKE b INCLUDING ALL)", "SELECT pg_advisory_lock(7)",
        "PREPARE mine AS SELECT 1", "SET jit TO on; SELECT 1/0",
        "DECLARE c CURSOR WITH HOLD FOR SELECT 1"}) {
    CAPTURE(dirty);
    for (int i = 0; i < 3; ++i) static_cast<void>(error_of(client, dirty));
    CHECK(only(client, "SELECT current_setting('search_path') AS v") == path);
    CHECK(only(client,
               "SELECT current_setting('TimeZone') || current_setting('statement_timeout') || "
               "current_setting('default_transaction_read_only') || "
               "current_setting('client_encoding') AS v") == "UTC0offUTF8");
    CHECK(only(client,
               "SELECT (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory') + (SELECT "
               "count(*) FROM pg_prepared_statements WHERE name = 'mine') + (SELECT count(*) "
               "FROM pg_cursors WHERE name = 'c') AS v") == "0");
  }
  // Batches go over the same sessions, and must reach the table that everybody sees.
  client.good(Rpc::batch,
              R"([[{"bucket":"b","key":"k","value":{"n":1},"options":{"etag":null}}],{}])");
  PostgresSession(database.url()).run("SELECT 1/count(*) FROM b WHERE _key = 'k'");
}

TEST_CASE("postgres sql: a LISTEN is refused by name, comments alone are nothing to do") {
  FreshDatabase database;
  boost::asio::io_context loop;
  Client client(loop, database.url());
  CHECK(error_of(client, "LISTEN somebody").starts_with("error: LISTEN by sql is not served"));
  for (const char* nothing : {"-- a comment", "/* one */", ";", " "})
    CHECK(error_of(client, nothing) == "");
}

TEST_CASE("postgres: a zero byte cuts no text") {
  FreshDatabase database;
  boost::asio::io_context loop;
  Client client(loop, database.url());
  client.good(Rpc::create_bucket, R"(["b",{"index":{"s":{"type":"string"}}},{}])");
  const std::string etag =
      text_of(client.good(Rpc::put_object, R"(["b","k",{"s":"x"},{}])").values[0], "etag");
  const std::string refused = "error: invalid byte sequence for encoding \"UTF8\": 0x00";
  const std::string cut = etag + "\\u0000junk";
  CHECK(
      client.call(Rpc::put_object, R"(["b","k",{"s":"y"},{"etag":")" + cut + "\"}]").error_text() ==
      refused);
  CHECK(client.call(Rpc::del_object, R"(["b","k",{"etag":")" + cut + "\"}]").error_text() ==
        refused);
  CHECK(client.call(Rpc::find_objects, R"-(["b","(s=x\u0000y)",{}])-").error.has_value());
  CHECK(client.call(Rpc::put_object, R"(["b","k",{"s":"x\u0000y"},{}])").error_text() == refused);
  CHECK(error_of(client, "SELECT $1::text AS v", {std::string("a\0b", 3)}) == refused);
  CHECK(error_of(client, std::string("SELECT 1\0 AS v", 13)) == refused);
  const Answer got = client.good(Rpc::get_object, R"(["b","k",{}])");
  CHECK(text_of(got.values[0], "_etag") == etag);
}

TEST_CASE("postgres: a row that is none of moray's is an error, and stays as it is") {
  FreshDatabase database;
  boost::asio::io_context loop;
  Client client(loop, database.url());
  client.good(Rpc::create_bucket, R"(["b",{"index":{"s":{"type":"string"}}},{}])");
  for (const char* value : {R"({"owner":"me","s":"x")", "[1]", "", "null"})
    client.sql("INSERT INTO b (_key, _value, _etag, s) VALUES ('" + std::string(value) + "', '" +
               value + "', 'A', 'x')");
  client.sql(
      "INSERT INTO b (_id, _key, _value, _etag, s) VALUES (9007199254740993, 'big', '{}', 'A', "
      "'y')");
  for (const std::string key : {R"({\"owner\":\"me\",\"s\":\"x\")", "[1]", "", "null", "big"}) {
    CAPTURE(key);
    if (!key.empty())
      CHECK(client.call(Rpc::get_object, "[\"b\",\"" + key + "\",{}]")
                .error_text()
                .starts_with("InternalError: failed to convert row: b::"));
  }
  CHECK(client.call(Rpc::find_objects, R"-(["b","(s=x)",{}])-")
            .error_text()
            .starts_with("InternalError: failed to convert row: b::"));
  CHECK(client.call(Rpc::find_objects, R"-(["b","(s=y)",{}])-").error_text() ==
        "InternalError: failed to convert row: b::big: _id 9007199254740993 is beyond 2^53");
  client.good(
      Rpc::update_bucket,
      R"(["b",{"index":{"s":{"type":"string"},"t":{"type":"string"}},"options":{"version":2}},{}])");
  CHECK(client.call(Rpc::reindex_objects, R"(["b",10,{}])")
            .error_text()
            .starts_with("InternalError: failed to convert row"));
  CHECK(only(client, "SELECT count(*) AS v FROM b WHERE _value = '[1]' AND _key = '[1]'") == "1");
}

TEST_CASE("postgres: values at the edges of their types come back as they went") {
  FreshDatabase database;
  boost::asio::io_context loop;
  Client client(loop, database.url());
  client.good(Rpc::create_bucket, R"(["b",{"index":{"d":{"type":"date"}}},{}])");
  for (const char* date :
       {"0000-02-29T00:00:00.000Z", "0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"}) {
    CAPTURE(date);
    client.good(Rpc::put_object, "[\"b\",\"k\",{\"d\":\"" + std::string(date) + "\"},{}]");
    const Answer got = client.good(Rpc::get_object, R"(["b","k",{}])");
    CHECK(text_of(*got.values[0].get("value"), "d") == date);
  }
  // What a moray takes no such text for may still be there.
  client.sql("UPDATE b SET d = '0045-03-15 00:00:00+00 BC'");
  CHECK(text_of(*client.good(Rpc::get_object, R"(["b","k",{}])").values[0].get("value"), "d") ==
        "-000044-03-15T00:00:00.000Z");
  client.good(Rpc::put_object, R"(["b","k",{"d":"9999-12-31T24:00:00Z"},{}])");
  CHECK(text_of(*client.good(Rpc::get_object, R"(["b","k",{}])").values[0].get("value"), "d") ==
        "+010000-01-01T00:00:00.000Z");
  const auto row = client.sql(
      "SELECT array[[1,2],[3,4]] AS two, '[0:1]={5,6}'::int[] AS bounds, "
      "array[[NULL,'a,b'],['}','\"']] "
      "AS texts, '{}'::int[] AS none, array[[[1]],[[2]]] AS three");
  CHECK(
      objects::stringify(row[0]) ==
      R"({"two":[[1,2],[3,4]],"bounds":[5,6],"texts":[[null,"a,b"],["}","\""]],"none":[],"three":[[[1]],[[2]]]})");
}

TEST_CASE("postgres: more values than PostgreSQL takes are refused before anything is sent") {
  FreshDatabase database;
  boost::asio::io_context loop;
  Client client(loop, database.url());
  client.good(Rpc::create_bucket, R"(["b",{"index":{"s":{"type":"string"}}},{}])");
  CHECK(error_of(client, "SELECT 1", JsArray(66'000, JsValue("x")))
            .find("65,535 is the most that PostgreSQL takes") != std::string::npos);
  const auto find_by = [&](int parts) {
    std::string filter = "(|";
    for (int i = 1; i < parts; ++i) filter += "(s=x)";
    return client.call(Rpc::find_objects, "[\"b\",\"" + filter + ")\",{}]").error_text();
  };
  CHECK(find_by(20'000) == "");
  CHECK(find_by(20'001).starts_with("InvalidQueryError: "));
  client.good(Rpc::find_objects, R"-(["b","(s=x)",{}])-");
}

TEST_CASE("postgres: what one worker has made of a bucket, the others of its process go by") {
  FreshDatabase database;
  boost::asio::io_context loop;
  backends::postgres::PostgresShardOptions options;
  options.pool.url = database.url();
  options.bucket_changes = std::make_shared<BucketChanges>();
  PostgresShard first(loop, options), second(loop, options);
  ShardClient one(first, loop), other(second, loop);
  run_until(loop, [&] { return first.healthy() && second.healthy(); });
  const auto good = [](ShardClient& client, Rpc rpc, const std::string& arguments) {
    Answer answer = client.call(rpc, arguments);
    CAPTURE(arguments);
    CHECK(answer.error_text() == "");
    return answer;
  };
  good(one, Rpc::create_bucket, R"(["b",{"index":{"n":{"type":"number"}}},{}])");
  good(other, Rpc::put_object, R"(["b","k",{"n":1,"foo":"bar"},{}])");
  good(one, Rpc::update_bucket,
       R"(["b",{"index":{"n":{"type":"number"},"foo":{"type":"string"}}},{"no_reindex":true}])");
  good(other, Rpc::put_object, R"(["b","k",{"n":1,"foo":"bar"},{}])");
  CHECK(good(other, Rpc::find_objects, R"-(["b","(&(foo=bar)(n=1))",{}])-").values.size() == 1);
  good(one, Rpc::del_bucket, R"(["b",{}])");
  CHECK(other.call(Rpc::get_object, R"(["b","k",{}])").error_text() ==
        "BucketNotFoundError: b does not exist");
}

TEST_CASE("postgres: what another process has made of a bucket, the next statement goes by") {
  FreshDatabase database;
  boost::asio::io_context loop;
  Client one(loop, database.url()), other(loop, database.url());
  const std::string trigger = "function recordDeleteLog(req, cb) { cb(); }";
  one.good(Rpc::create_bucket,
           R"(["manta_delete_log",{"index":{"objectId":{"type":"string"}}},{}])");
  one.good(Rpc::create_bucket, R"(["b",{"index":{"n":{"type":"number"}}},{}])");
  const auto update = [&](const char* index, const std::string& post) {
    one.good(Rpc::update_bucket, R"(["b",{"index":)" + std::string(index) + R"(,"post":[)" + post +
                                     R"(]},{"no_reindex":true}])");
  };
  for (const char* key : {"k", "l", "m"})
    other.good(Rpc::put_object, "[\"b\",\"" + std::string(key) + R"(",{"n":1,"foo":"bar"},{}])");
  update(R"({"n":{"type":"number"},"foo":{"type":"string"}})", "");
  SUBCASE("a put fills a new column") {
    other.good(Rpc::put_object, R"(["b","k",{"n":1,"foo":"bar"},{}])");
    CHECK(one.good(Rpc::find_objects, R"-(["b","(foo=bar)",{}])-").values.size() == 1);
  }
  SUBCASE("a put with an etag, too") {
    other.good(Rpc::put_object, R"(["b","new",{"n":1,"foo":"bar"},{"etag":null}])");
    CHECK(one.good(Rpc::find_objects, R"-(["b","(foo=bar)",{}])-").values.size() == 1);
  }
  SUBCASE("a find, a get and a batch know it") {
    one.good(Rpc::put_object, R"(["b","k",{"n":1,"foo":"bar"},{}])");
    CHECK(other.good(Rpc::find_objects, R"-(["b","(&(foo=bar)(n=1))",{}])-").values.size() == 1);
    update(R"({"n":{"type":"string"}})", "");
    other.good(Rpc::batch, R"([[{"bucket":"b","key":"k","value":{"n":1}}],{}])");
    CHECK(text_of(*other.good(Rpc::get_object, R"(["b","k",{}])").values[0].get("value"), "n") ==
          "1");
  }
  SUBCASE("nothing is refused by what was known of it") {
    CHECK(text_of(other.good(Rpc::update_objects, R"-(["b",{"foo":"x"},"(foo=*)",{}])-").values[0],
                  "count") == "0");
    one.good(Rpc::put_object, R"(["b","k",{"n":1,"foo":"bar"},{}])");
    update(R"({"n":{"type":"number"}})", "");
    update(R"({"n":{"type":"number"},"zz":{"type":"string"}})", "");
    other.good(Rpc::find_objects, R"-(["b","(n=1)",{"sort":{"attribute":"zz","order":"ASC"}}])-");
    update(R"({"n":{"type":"number"}})", R"("function unknown(req, cb) { cb(); }")");
    CHECK(other.call(Rpc::put_object, R"(["b","k",{"n":1},{}])").error.has_value());
    update(R"({"n":{"type":"number"}})", "");
    other.good(Rpc::put_object, R"(["b","k",{"n":1},{}])");
  }
  SUBCASE("gets of one turn, of which one looks, know it all") {
    PostgresSession(database.url()).run("UPDATE b SET foo = 'column'");
    const std::string texts[] = {ShardClient::payload(Rpc::get_object, R"(["b","k",{}])"),
                                 ShardClient::payload(Rpc::get_object, R"(["b","none",{}])")};
    std::list<CollectingSink> sinks;
    for (int i = 0; i < 40; ++i) {
      const std::string_view piece = texts[i % 8 == 7 ? 1 : 0];
      backends::Request request;
      request.rpc = Rpc::get_object;
      request.pieces = {&piece, 1};
      REQUIRE(other.shard->submit(request, sinks.emplace_back()).ticket);
    }
    run_until(loop, [&] {
      return std::all_of(sinks.begin(), sinks.end(),
                         [](const auto& sink) { return sink.answer.done; });
    });
    int found = 0;
    for (const CollectingSink& sink : sinks) {
      if (sink.answer.error_text() == "ObjectNotFoundError: b::none does not exist") continue;
      CHECK(sink.answer.error_text() == "");
      for (const JsValue& value : sink.answer.values)
        found += text_of(*value.get("value"), "foo") == "column" ? 1 : 0;
    }
    CHECK(found == 35);
  }
  SUBCASE("a delete writes the log that it asks for") {
    update(R"({"n":{"type":"number"}})", objects::stringify(JsValue(trigger)));
    other.good(Rpc::del_object,
               R"(["b","k",{"headers":{"x-muskie-prev-metadata":{"objectId":"o1"}}}])");
    CHECK(other.good(Rpc::find_objects, R"-(["manta_delete_log","(objectId=o1)",{}])-")
              .values.size() == 1);
  }
  SUBCASE("a deleteMany by an index that went is refused") {
    update(R"({"n":{"type":"number"}})", "");
    CHECK(other.call(Rpc::delete_many, R"-(["b","(foo=bar)",{}])-").error.has_value());
  }
}

TEST_CASE("postgres: a listener whose connection is lost before its answer hears of that") {
  FreshDatabase database;
  boost::asio::io_context loop;
  Client client(loop, database.url());
  PostgresSession other(database.url());
  const std::string kill =
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND "
      "datname = current_database()";
  for (int i = 0; i < 20; ++i) {
    const std::string text = ShardClient::payload(Rpc::listen, R"(["c",{}])");
    const std::string_view piece = text;
    backends::Request request;
    request.rpc = Rpc::listen;
    request.stream = true;
    request.pieces = {&piece, 1};
    CollectingSink sink;
    REQUIRE(client.shard->submit(request, sink).ticket);
    // Some of them before they have said LISTEN, some after.
    for (int turn = 0; turn < i * 3; ++turn) loop.poll_one();
    other.run(kill);
    while (!sink.answer.done) {
      run_for(loop, std::chrono::milliseconds(10));
      other.run(kill);
    }
  }
}

TEST_CASE("postgres: a shard that leaves the ring answers what it has accepted") {
  FreshDatabase database;
  boost::asio::io_context loop;
  Client client(loop, database.url());
  client.good(Rpc::create_bucket, R"(["b",{"index":{"n":{"type":"number"}}},{}])");
  std::list<CollectingSink> sinks;  // more than there are sessions for them
  for (int i = 0; i < 12; ++i) {
    const std::string text = ShardClient::payload(Rpc::sql, R"-(["SELECT pg_sleep(0.05)",[],{}])-");
    const std::string_view piece = text;
    backends::Request request;
    request.rpc = Rpc::sql;
    request.stream = true;
    request.pieces = {&piece, 1};
    REQUIRE(client.shard->submit(request, sinks.emplace_back()).ticket);
  }
  client.shard->retire();
  run_until(loop, [&] { return client.shard->idle(); });
  for (const CollectingSink& sink : sinks) CHECK(sink.answer.error_text() == "");
}

TEST_CASE("postgres: where a role may have few sessions, those for points make room for others") {
  FreshDatabase database;
  boost::asio::io_context loop;
  PostgresSession owner(database.url());
  owner.run(
      "DO $$ BEGIN CREATE ROLE few LOGIN SUPERUSER CONNECTION LIMIT 3; EXCEPTION WHEN "
      "duplicate_object THEN NULL; END $$");
  owner.run("ALTER ROLE few NOSUPERUSER");
  owner.run("GRANT ALL ON SCHEMA public TO few");
  const std::string url = database.url();
  Client client(loop, "postgresql://few@" + url.substr(url.find('@') + 1), 4);
  client.good(Rpc::create_bucket, R"(["b",{"index":{"n":{"type":"number"}}},{}])");
  client.good(Rpc::put_object, R"(["b","k",{"n":1},{}])");
  CHECK(client.good(Rpc::find_objects, R"-(["b","(n=1)",{}])-").values.size() == 1);
  client.good(
      Rpc::batch,
      R"([[{"bucket":"b","key":"k","value":{"n":2}},{"bucket":"b","key":"l","value":{"n":2},"options":{"etag":null}}],{}])");
  CHECK(client.good(Rpc::get_object, R"(["b","k",{}])").values.size() == 1);
  CHECK(client.shard->healthy());
}
