// What only a PostgreSQL shard can get wrong: other clients of the same rows, other writers of the
// schema, old tables, a server that dies.
#include <doctest/doctest.h>

#include <algorithm>
#include <list>
#include <map>
#include <memory>
#include <random>
#include <set>

#include "tests/contract/postgres_client.hpp"
#include "tests/support/postgres_cluster.hpp"

using namespace test_support;
using backends::Rpc;
using backends::postgres::PostgresShard;
using Client = test_support::PostgresClient;
using objects::JsValue;

namespace {

struct Put {
  std::string key;
  int value = 0;
  std::string before;  // the etag that it asked for
  CollectingSink sink;
};

void submit(Client& client, Put& put, bool conditional) {
  const std::string etag = put.before.empty() ? "null" : "\"" + put.before + "\"";
  const std::string text = ShardClient::payload(
      Rpc::put_object, "[\"b\",\"" + put.key + "\",{\"n\":" + std::to_string(put.value) + "},{" +
                           (conditional ? "\"etag\":" + etag : "") + "}]");
  const std::string_view piece = text;
  backends::Request request;
  request.rpc = Rpc::put_object;
  request.pieces = {&piece, 1};
  request.affinity = static_cast<std::uint32_t>(put.key.back());
  REQUIRE(client.shard->submit(request, put.sink).ticket);
}

}  // namespace

TEST_CASE("postgres: of conditional puts by eight clients, each has exactly one predecessor") {
  FreshDatabase cluster;
  boost::asio::io_context loop;
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 8; ++i) clients.push_back(std::make_unique<Client>(loop, cluster.url(), 1));
  clients[0]->good(Rpc::create_bucket, R"(["b",{"index":{"n":{"type":"number"}}},{}])");
  constexpr std::size_t kWanted = 5000;
  std::map<std::string, std::string> known;                   // what each key was last seen to hold
  std::map<std::string, std::set<std::string>> predecessors;  // by key, of acknowledged puts
  std::size_t acknowledged = 0, conflicts = 0;
  int next = 1;
  std::vector<std::unique_ptr<Put>> running(clients.size());
  std::mt19937 random(4);
  while (acknowledged < kWanted) {
    for (std::size_t i = 0; i < clients.size(); ++i) {
      if (running[i] == nullptr) {
        running[i] = std::make_unique<Put>();
        running[i]->key = "key" + std::to_string(random() % 4);
        running[i]->value = next++;
        running[i]->before = known[running[i]->key];
        submit(*clients[i], *running[i], true);
      }
      const Answer& answer = running[i]->sink.answer;
      if (!answer.done) continue;
      const std::unique_ptr<Put> put = std::move(running[i]);
      if (!answer.error) {
        ++acknowledged;
        REQUIRE(predecessors[put->key].insert(put->before).second);  // or two followed the same one
        known[put->key] = text_of(answer.values[0], "etag");
        continue;
      }
      ++conflicts;
      const std::string error = answer.error_text();
      CAPTURE(error);
      REQUIRE(error.starts_with("EtagConflictError"));
      const JsValue* context = answer.error->get("context");
      REQUIRE(text_of(*context, "expected") == (put->before.empty() ? "null" : put->before));
      REQUIRE(text_of(*context, "actual") != text_of(*context, "expected"));
      known[put->key] = text_of(*context, "actual");
    }
    loop.restart();
    loop.run_one();
  }
  CHECK(conflicts > 100);
  // Values never repeat, so every etag is another. The sequence is drawn by inserts alone: one for
  // each key, and one for each client that lost the race for a key's first.
  const auto serial = clients[0]->sql("SELECT last_value::int AS last FROM b_serial");
  CHECK(std::stoi(text_of(serial[0], "last")) <= 4 + 8);
  run_until(loop, [&] {
    return std::all_of(running.begin(), running.end(),
                       [](const auto& put) { return put == nullptr || put->sink.answer.done; });
  });
}

TEST_CASE("postgres: a put without a condition keeps the id, and draws no number for an update") {
  FreshDatabase cluster;
  boost::asio::io_context loop;
  Client client(loop, cluster.url());
  client.good(Rpc::create_bucket, R"(["b",{"index":{"u":{"type":"string","unique":true}}},{}])");
  for (int i = 0; i < 50; ++i)
    client.good(Rpc::put_object, R"(["b","k",{"u":"a","vnode":)" + std::to_string(i) + "},{}]");
  client.good(Rpc::put_object, R"(["b","other",{"u":"b"},{}])");
  const auto rows =
      client.sql("SELECT _key AS key, _id::int AS id, _vnode::int AS vnode FROM b ORDER BY _id");
  REQUIRE(rows.size() == 2);
  CHECK(text_of(rows[0], "id") == "1");
  CHECK(text_of(rows[0], "vnode") == "49");
  CHECK(text_of(rows[1], "id") == "2");
  CHECK(client.call(Rpc::put_object, R"(["b","third",{"u":"b"},{}])").error_text() ==
        "UniqueAttributeError: \"u\" is a unique attribute; value \"b\" already exists");
}

TEST_CASE("postgres: what another client makes of a bucket is seen") {
  FreshDatabase cluster;
  boost::asio::io_context loop;
  Client one(loop, cluster.url()), other(loop, cluster.url());
  one.good(Rpc::create_bucket,
           R"(["b",{"index":{"a":{"type":"string"}},"options":{"version":1}},{}])");
  one.good(Rpc::put_object, R"(["b","k",{"a":"x","c":"y"},{}])");
  other.good(Rpc::get_object, R"(["b","k",{}])");
  one.good(
      Rpc::update_bucket,
      R"(["b",{"index":{"c":{"type":"string"}},"options":{"version":2}},{}])");  // a goes, c comes
  CHECK(
      objects::stringify(*other.good(Rpc::get_object, R"(["b","k",{}])").values[0].get("value")) ==
      R"({"a":"x","c":"y"})");
  other.good(Rpc::put_object, R"(["b","k",{"a":"z"},{}])");
  CHECK(other.good(Rpc::find_objects, R"x(["b","(_key=k)",{}])x").values.size() == 1);
  one.good(Rpc::del_bucket, R"(["b",{}])");
  CHECK(other.call(Rpc::get_object, R"(["b","k",{}])").error_text() ==
        "BucketNotFoundError: b does not exist");
  one.good(Rpc::create_bucket, R"(["b",{"index":{"d":{"type":"number"}}},{}])");
  other.good(Rpc::put_object, R"(["b","k",{"d":1},{}])");
}

TEST_CASE("postgres: tables that old morays made") {
  FreshDatabase cluster;
  boost::asio::io_context loop;
  {
    Client client(loop, cluster.url());
    client.sql(R"(DROP TABLE buckets_config;
      CREATE TABLE buckets_config (name TEXT PRIMARY KEY, index TEXT NOT NULL, pre TEXT NOT NULL,
        post TEXT NOT NULL, options TEXT,
        mtime TIMESTAMP NOT NULL DEFAULT now());
      INSERT INTO buckets_config (name, index, pre, post)
        VALUES ('old', '{"s":{"type":"string"}}', '[]', '[]');
      CREATE SEQUENCE old_serial;
      CREATE TABLE old (_id INTEGER DEFAULT nextval('old_serial'), _txn_snap INTEGER,
        _key TEXT PRIMARY KEY, _value TEXT NOT NULL,
        _etag CHAR(8) NOT NULL, _mtime BIGINT, _vnode BIGINT, s TEXT);
      CREATE TABLE long (_id INTEGER, _idx BIGINT, _txn_snap INTEGER, _key TEXT PRIMARY KEY,
        _value TEXT NOT NULL, _etag CHAR(8) NOT NULL,
        _mtime BIGINT, _vnode BIGINT);
      INSERT INTO buckets_config (name, index, pre, post) VALUES ('long', '{}', '[]', '[]');
      CREATE INDEX long__idx_idx ON long (_idx);
      INSERT INTO long (_idx, _key, _value, _etag, _mtime)
        VALUES (5000000000, 'far', '{"v":1}', 'ABCDEF01', 1))");
  }
  Client client(loop, cluster.url());
  client.good(Rpc::put_object, R"(["old","k",{"s":"x"},{}])");
  client.good(Rpc::put_object,
              R"(["old","k",{"s":"y"},{"etag":")" +
                  text_of(client.good(Rpc::get_object, R"(["old","k",{}])").values[0], "_etag") +
                  "\"}]");
  CHECK(text_of(client.good(Rpc::find_objects, R"x(["old","(s=y)",{}])x").values[0], "_id") == "1");
  const Answer bucket = client.good(Rpc::get_bucket, R"([{},"old"])");
  CHECK(bucket.values[0].get("reindex_active") == nullptr);
  CHECK(text_of(client.good(Rpc::find_objects, R"x(["long","(_id>=4000000000)",{}])x").values[0],
                "_id") == "5000000000");
  CHECK(text_of(client.good(Rpc::delete_many, R"x(["long","(_id=5000000000)",{}])x").values[0],
                "count") == "1");
  client.good(
      Rpc::update_bucket,
      R"(["old",{"index":{"s":{"type":"string"},"n":{"type":"number"}},"options":{"version":1}},{}])");
  CHECK(text_of(client.good(Rpc::reindex_objects, R"(["old",10,{}])").values[0], "processed") ==
        "1");
}

TEST_CASE("postgres: a bucket whose trigger only JavaScript can run is read, not written") {
  FreshDatabase cluster;
  boost::asio::io_context loop;
  Client client(loop, cluster.url());
  client.good(Rpc::create_bucket, R"(["b",{"pre":["function (req, cb) { cb(); }"]},{}])");
  CHECK(client.call(Rpc::put_object, R"(["b","k",{},{}])").error_text().find("b") !=
        std::string::npos);
  CHECK(client.call(Rpc::put_object, R"(["b","k",{},{}])").error.has_value());
  CHECK(client.call(Rpc::get_object, R"(["b","k",{}])").error_text() ==
        "ObjectNotFoundError: b::k does not exist");
}

TEST_CASE("postgres: Manta's delete log is written in the same transaction") {
  FreshDatabase cluster;
  boost::asio::io_context loop;
  Client client(loop, cluster.url());
  client.good(Rpc::create_bucket,
              R"(["manta_delete_log",{"index":{"objectId":{"type":"string"}}},{}])");
  client.good(
      Rpc::create_bucket,
      R"(["manta",{"index":{"objectId":{"type":"string"}},"post":["function recordDeleteLog(req, cb) { cb(); }"]},{}])");
  client.good(Rpc::put_object, R"(["manta","k",{"objectId":"1"},{}])");
  client.good(Rpc::del_object,
              R"(["manta","k",{"headers":{"x-muskie-prev-metadata":{"objectId":"1"}}}])");
  const auto rows = client.sql("SELECT objectid FROM manta_delete_log");
  REQUIRE(rows.size() == 1);
  CHECK(text_of(rows[0], "objectid") == "1");
}

TEST_CASE("postgres: a batch is done whole or not at all") {
  FreshDatabase cluster;
  boost::asio::io_context loop;
  Client client(loop, cluster.url());
  client.good(Rpc::create_bucket, R"(["b",{"index":{"u":{"type":"string","unique":true}}},{}])");
  client.good(Rpc::put_object, R"(["b","k",{"u":"taken"},{}])");
  for (const char* last : {R"({"bucket":"b","key":"z","value":{"u":"taken"}})",
                           R"({"bucket":"b","key":"k","value":{},"options":{"etag":"00000000"}})",
                           R"({"bucket":"none","key":"k","value":{}})",
                           R"({"bucket":"b","operation":"delete","key":"nobody"})"}) {
    const Answer answer = client.call(
        Rpc::batch,
        std::string(R"([[{"bucket":"b","key":"first","value":{"u":"1"}},)") + last + "],{}]");
    CHECK(answer.error.has_value());
    CHECK(client.call(Rpc::get_object, R"(["b","first",{}])").error_text() ==
          "ObjectNotFoundError: b::first does not exist");
  }
}

TEST_CASE("postgres: requests wait for the first connection, and for no other") {
  boost::asio::io_context loop;
  backends::postgres::PostgresShardOptions options;
  {
    PostgresCluster cluster;
    options.pool.url = cluster.url();
    PostgresShard shard(loop, options);
    ShardClient client(shard, loop);
    CHECK(client.call(Rpc::ping, R"([{"deep":true}])").error_text() == "");
  }
  PostgresShard shard(loop, options);  // nobody is there any more
  ShardClient client(shard, loop);
  CHECK(client.call(Rpc::ping, R"([{"deep":true}])").failure.has_value());
  CHECK(client.call(Rpc::get_object, R"(["b","k",{}])").failure.has_value());
  CHECK_FALSE(shard.healthy());
  CHECK(shard.status().last_problem.find("refused") != std::string::npos);
}

TEST_CASE("postgres: a server that dies loses no acknowledged put, and no request hangs") {
  PostgresCluster cluster;
  boost::asio::io_context loop;
  Client client(loop, cluster.url(), 4);
  client.good(Rpc::create_bucket, R"(["b",{"index":{"n":{"type":"number"}}},{}])");
  std::map<std::string, int> least;
  int next = 1;
  for (int round = 0; round < 3; ++round) {
    std::list<Put> puts;
    for (int i = 0; i < 300; ++i) {
      Put& put = puts.emplace_back();
      put.key = "k" + std::to_string(i % 30);
      put.value = next++;
      submit(client, put, false);
    }
    run_until(loop, [&] {
      return std::count_if(puts.begin(), puts.end(),
                           [](const Put& put) { return put.sink.answer.done; }) > 50;
    });
    cluster.stop_at_once();
    run_until(loop, [&] {
      return std::all_of(puts.begin(), puts.end(),
                         [](const Put& put) { return put.sink.answer.done; });
    });
    std::size_t lost = 0;
    for (const Put& put : puts) {
      if (put.sink.answer.error_text().empty())
        least[put.key] = std::max(least[put.key], put.value);
      else
        ++lost;
    }
    run_until(loop, [&] { return !client.shard->healthy(); });
    CHECK(client.call(Rpc::get_object, R"(["b","k1",{}])").failure.has_value());
    run_until(loop, [&] { return client.shard->status().last_problem != ""; });
    cluster.start();
    run_until(loop, [&] { return client.shard->healthy(); });
    for (const auto& [key, value] : least) {
      const Answer answer = client.good(Rpc::get_object, "[\"b\",\"" + key + "\",{}]");
      CHECK(*answer.values[0].get("value")->get("n")->number() >= value);
    }
    MESSAGE("round " << round << ": of 300 puts " << lost << " were not acknowledged");
  }
}
