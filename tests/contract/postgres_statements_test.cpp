// What a request costs in round trips, how long its statements may take, and what a stale idea of a
// bucket does: nothing.
#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/post.hpp>

#include "tests/contract/postgres_client.hpp"

using namespace test_support;
using backends::Rpc;
using objects::JsValue;
using Client = test_support::PostgresClient;

namespace {

constexpr const char* kManta =
    R"(["manta",{"index":{"objectId":{"type":"string"}},"post":["function recordDeleteLog(req, cb) { cb(); }"]},{}])";

std::string with_previous(const std::string& id, const std::string& more = "") {
  return R"({"headers":{"x-muskie-prev-metadata":{"objectId":")" + id + "\"}}" + more + "}";
}

/// Counts the rows that come in one turn of the loop.
class RowsOfTurns final : public backends::ReplySink {
 public:
  void on_data(const backends::Reply&) override { ++rows_, ++in_turn_; }
  void on_end(const backends::Reply&) override { done_ = true; }
  void on_error(const backends::Reply&) override { done_ = true; }
  void on_failure(const backends::Failure&) override { done_ = true; }

  int end_turn() {
    most_ = std::max(most_, in_turn_);
    return std::exchange(in_turn_, 0);
  }
  [[nodiscard]] bool done() const { return done_; }
  [[nodiscard]] int rows() const { return rows_; }
  [[nodiscard]] int most() const { return most_; }

 private:
  int rows_ = 0, in_turn_ = 0, most_ = 0;
  bool done_ = false;
};

}  // namespace

TEST_CASE("postgres: round trips of each RPC") {
  FreshDatabase cluster;
  boost::asio::io_context loop;
  Client client(loop, cluster.url());
  client.good(Rpc::create_bucket,
              R"(["manta_delete_log",{"index":{"objectId":{"type":"string"}}},{}])");
  client.good(Rpc::create_bucket, kManta);
  client.good(Rpc::create_bucket, R"(["b",{"index":{"n":{"type":"number"}}},{}])");
  client.good(Rpc::put_object, R"(["b","k",{"n":1},{}])");
  client.good(Rpc::put_object, R"(["manta","k",{"objectId":"1"},{}])");
  client.good(Rpc::find_objects, R"x(["b","(n=1)",{}])x");
  const auto cost = [&](Rpc rpc, const std::string& arguments) {
    const std::uint64_t before = client.shard->round_trips();
    client.call(rpc, arguments);
    return client.shard->round_trips() - before;
  };
  CHECK(cost(Rpc::get_object, R"(["b","k",{}])") == 1);
  CHECK(cost(Rpc::get_object, R"(["b","k",{"timeout":5000}])") == 1);
  CHECK(cost(Rpc::put_object, R"(["b","k",{"n":2},{}])") == 1);
  CHECK(cost(Rpc::put_object, R"(["b","k",{"n":2},{"timeout":5000}])") == 1);
  CHECK(cost(Rpc::put_object, R"(["b","k",{"n":2},{"etag":"00000000"}])") == 1);
  CHECK(cost(Rpc::put_object, R"(["b","new",{"n":2},{"etag":null}])") == 1);
  CHECK(cost(Rpc::put_object, R"(["manta","k",{"objectId":"2"},)" + with_previous("1") + "]") == 1);
  CHECK(cost(Rpc::del_object, R"(["manta","k",)" + with_previous("2") + "]") == 1);
  CHECK(cost(Rpc::find_objects, R"x(["b","(n=2)",{}])x") == 1);
  CHECK(cost(Rpc::update_objects, R"x(["b",{"n":3},"(n=2)",{}])x") == 1);
  CHECK(cost(Rpc::delete_many, R"x(["b","(n=3)",{}])x") == 1);
  const std::string put = R"({"bucket":"b","key":"k","value":{"n":4}})";
  CHECK(cost(Rpc::batch, "[[" + put + "," + put + "," + put + "],{}]") == 1);
  CHECK(cost(Rpc::batch, "[[" + put + R"(,{"bucket":"b","operation":"delete","key":"k"}],{}])") ==
        2);
  client.good(
      Rpc::find_objects,
      R"x(["b","(n>=0)",{}])x");  // rows that were streamed over the same connection change nothing
  CHECK(cost(Rpc::batch,
             "[[" + put +
                 R"(,{"bucket":"b","key":"k","value":{},"options":{"etag":"00000000"}}],{}])") ==
        2);
  CHECK(client.sql("SELECT objectid FROM manta_delete_log").size() == 2);
}

TEST_CASE("postgres: Manta's delete log, under every condition") {
  FreshDatabase cluster;
  boost::asio::io_context loop;
  Client client(loop, cluster.url());
  client.good(Rpc::create_bucket,
              R"(["manta_delete_log",{"index":{"objectId":{"type":"string"}}},{}])");
  client.good(Rpc::create_bucket, R"(["manta_fastdelete_queue",{},{}])");
  client.good(Rpc::create_bucket, kManta);
  const auto etag = [&] {
    return text_of(client.good(Rpc::get_object, R"(["manta","k",{}])").values[0], "_etag");
  };
  const auto logged = [&] {
    return client.sql("SELECT objectid FROM manta_delete_log ORDER BY objectid");
  };
  client.good(Rpc::put_object,
              R"(["manta","k",{"objectId":"b"},)" + with_previous("a", R"(,"etag":null)") + "]");
  CHECK(client
            .call(Rpc::put_object, R"(["manta","k",{"objectId":"c"},)" +
                                       with_previous("no", R"(,"etag":null)") + "]")
            .error.has_value());
  CHECK(client
            .call(Rpc::put_object, R"(["manta","k",{"objectId":"c"},)" +
                                       with_previous("no", R"(,"etag":"00000000")") + "]")
            .error.has_value());
  CHECK(client
            .call(Rpc::del_object,
                  R"(["manta","k",)" + with_previous("no", R"(,"etag":"00000000")") + "]")
            .error.has_value());
  client.good(Rpc::put_object, R"(["manta","k",{"objectId":"c"},)" +
                                   with_previous("b", R"(,"etag":")" + etag() + "\"") + "]");
  client.good(Rpc::put_object, R"(["manta","k",{"objectId":"d"},)" + with_previous("c") + "]");
  client.good(Rpc::put_object, R"(["manta","k",{"objectId":"d"},)" + with_previous("d") +
                                   "]");  // the same object: not deleted
  client.good(Rpc::del_object,
              R"(["manta","k",)" + with_previous("d", R"(,"etag":")" + etag() + "\"") + "]");
  CHECK(client.call(Rpc::del_object, R"(["manta","k",)" + with_previous("no") + "]")
            .error.has_value());
  std::string ids;
  for (const JsValue& row : logged()) ids += text_of(row, "objectid");
  CHECK(ids == "abcd");
  client.good(Rpc::put_object, R"(["manta","f",{"objectId":"f"},{}])");
  const std::string quick =
      R"({"headers":{"x-muskie-prev-metadata":{"objectId":"f"},"x-muskie-snaplinks-disabled":true}})";
  client.good(Rpc::batch, R"([[{"bucket":"manta","operation":"delete","key":"f","options":)" +
                              quick + "}],{}]");
  CHECK(client.sql("SELECT 1 FROM manta_fastdelete_queue WHERE _key = 'f' AND _vnode IS NULL")
            .size() == 1);
  // The same key twice in the queue: the delete fails with it, whole.
  client.good(Rpc::put_object, R"(["manta","f",{"objectId":"f"},{}])");
  CHECK(client.call(Rpc::del_object, R"(["manta","f",)" + quick + "]")
            .error_text()
            .find("UniqueAttributeError") == 0);
  CHECK(client.good(Rpc::get_object, R"(["manta","f",{}])").values.size() == 1);
}

TEST_CASE("postgres: a statement ends at options.timeout, not applied, and those after it go on") {
  FreshDatabase cluster;
  boost::asio::io_context loop;
  Client client(loop, cluster.url(), 1);
  client.good(Rpc::create_bucket, R"(["b",{"index":{"n":{"type":"number"}}},{}])");
  client.good(Rpc::put_object, R"(["b","k",{"n":1},{}])");
  PostgresSession other(cluster.url());
  other.run("BEGIN; SELECT 1 FROM b WHERE _key = 'k' FOR UPDATE");
  const auto name = [&](Rpc rpc, const std::string& arguments) {
    const std::string text = client.call(rpc, arguments).error_text();
    CAPTURE(text);
    CHECK(text.find("failure") == std::string::npos);
    return text.substr(0, text.find(':'));
  };
  CHECK(name(Rpc::put_object, R"(["b","k",{"n":2},{"timeout":100}])") == "QueryTimeoutError");
  CHECK(name(Rpc::put_object, R"(["b","k",{"n":2},{"timeout":100,"etag":"00000000"}])") ==
        "QueryTimeoutError");
  CHECK(name(Rpc::del_object, R"(["b","k",{"timeout":100}])") == "QueryTimeoutError");
  CHECK(name(Rpc::update_objects, R"x(["b",{"n":3},"(n=1)",{"timeout":100}])x") ==
        "QueryTimeoutError");
  CHECK(name(Rpc::delete_many, R"x(["b","(n=1)",{"timeout":100}])x") == "QueryTimeoutError");
  CHECK(
      name(
          Rpc::batch,
          R"([[{"bucket":"b","key":"x","value":{}},{"bucket":"b","key":"k","value":{}}],{"timeout":100}])") ==
      "QueryTimeoutError");
  CHECK(
      name(
          Rpc::batch,
          R"([[{"bucket":"b","key":"x","value":{}},{"bucket":"b","operation":"delete","key":"k"}],{"timeout":100}])") ==
      "QueryTimeoutError");
  // One whose errors are found one by one: the first is not a member of the second's.
  CHECK(
      name(
          Rpc::batch,
          R"([[{"bucket":"b","key":"k","value":{}},{"bucket":"none","key":"k","value":{}}],{"timeout":100}])") ==
      "QueryTimeoutError");
  CHECK(name(Rpc::sql, R"(["UPDATE b SET n = 4",[],{"timeout":100}])") == "QueryTimeoutError");
  CHECK(name(Rpc::del_bucket, R"(["b",{"timeout":100}])") == "QueryTimeoutError");
  CHECK(client.good(Rpc::get_object, R"(["b","k",{"timeout":100}])").values.size() ==
        1);  // reads wait for no row lock
  other.run("ROLLBACK; BEGIN; LOCK TABLE b IN ACCESS EXCLUSIVE MODE");
  CHECK(name(Rpc::get_object, R"(["b","k",{"timeout":100}])") == "QueryTimeoutError");
  CHECK(name(Rpc::find_objects, R"x(["b","(n=1)",{"timeout":100}])x") == "QueryTimeoutError");
  other.run("ROLLBACK");
  const Answer found = client.good(Rpc::find_objects, R"x(["b","(n=1)",{"timeout":1000}])x");
  REQUIRE(found.values.size() == 1);
  CHECK(text_of(found.values[0], "_count") == "1");
  CHECK(client.call(Rpc::get_object, R"(["b","x",{}])").error.has_value());
  client.good(Rpc::put_object, R"(["b","k",{"n":2},{}])");  // no limit is left over
}

TEST_CASE(
    "postgres: a row of a newer version of its bucket is never written by an older idea of it") {
  FreshDatabase cluster;
  boost::asio::io_context loop;
  // First where the table has no `_rver` yet, then where it has one.
  for (const int version : {1, 2}) {
    Client one(loop, cluster.url()), other(loop, cluster.url());
    const std::string v1 = std::to_string(version), v2 = std::to_string(version + 1),
                      field = "c" + v1;
    if (version == 1)
      one.good(Rpc::create_bucket,
               R"(["b",{"index":{"a":{"type":"string"}},"options":{"version":1}},{}])");
    const std::string index =
        version == 1 ? R"({"a":{"type":"string"},"c1":{"type":"string"}})"
                     : R"({"a":{"type":"string"},"c1":{"type":"string"},"c2":{"type":"string"}})";
    for (const char* key : {"plain", "known", "none"})
      one.good(Rpc::put_object, std::string("[\"b\",\"") + key + R"(",{"a":"x"},{}])");
    other.good(Rpc::get_object, R"(["b","plain",{}])");  // it knows the bucket now, for a while
    one.good(Rpc::update_bucket,
             "[\"b\",{\"index\":" + index + ",\"options\":{\"version\":" + v2 + "}},{}]");
    while (text_of(one.good(Rpc::reindex_objects, R"(["b",100,{}])").values[0], "processed") !=
           "0") {
    }
    const auto value = [&](const std::string& of) {
      return "{\"a\":\"y\",\"" + field + "\":\"" + of + "\"}";
    };
    const auto etag = [&](const std::string& key) {
      return text_of(one.good(Rpc::get_object, "[\"b\",\"" + key + "\",{}]").values[0], "_etag");
    };
    other.good(Rpc::put_object, "[\"b\",\"plain\"," + value("p") + ",{}]");
    Client third(loop, cluster.url());
    other.good(Rpc::put_object,
               "[\"b\",\"known\"," + value("k") + ",{\"etag\":\"" + etag("known") + "\"}]");
    CHECK(other.call(Rpc::put_object, "[\"b\",\"none\"," + value("n") + ",{\"etag\":null}]")
              .error_text()
              .find("EtagConflictError") == 0);
    other.good(Rpc::get_object, R"(["b","none",{}])");
    other.good(Rpc::batch,
               "[[{\"bucket\":\"b\",\"key\":\"first\",\"value\":{}},{\"bucket\":\"b\",\"key\":"
               "\"none\",\"value\":" +
                   value("n") + "}],{}]");
    for (const std::string of : {"p", "k", "n"})
      CHECK(third.good(Rpc::find_objects, "[\"b\",\"(" + field + "=" + of + ")\",{}]")
                .values.size() == 1);
  }
}

TEST_CASE("postgres: gets that are sent together fail one by one") {
  FreshDatabase cluster;
  boost::asio::io_context loop;
  Client client(loop, cluster.url(), 1);
  for (const char* bucket : {"good", "gone"}) {
    client.good(Rpc::create_bucket,
                std::string("[\"") + bucket + R"(",{"index":{"n":{"type":"number"}}},{}])");
    client.good(Rpc::put_object, std::string("[\"") + bucket + R"(","k",{"n":1},{}])");
    client.good(Rpc::get_object,
                std::string("[\"") + bucket + R"(","k",{}])");  // known, and prepared
  }
  PostgresSession other(cluster.url());
  other.run("DROP TABLE gone");
  const std::uint64_t before = client.shard->round_trips();
  std::vector<std::unique_ptr<CollectingSink>> sinks;
  for (int i = 0; i < 30; ++i) {
    const std::string bucket = i % 10 == 4 ? "gone" : "good";
    const std::string text =
        i % 10 == 7 ? ShardClient::payload(Rpc::put_object,
                                           "[\"good\",\"p" + std::to_string(i) + "\",{\"n\":2},{}]")
                    : ShardClient::payload(Rpc::get_object, "[\"" + bucket + "\",\"k\",{}]");
    const std::string_view piece = text;
    backends::Request request;
    request.rpc = i % 10 == 7 ? Rpc::put_object : Rpc::get_object;
    request.pieces = {&piece, 1};
    sinks.push_back(std::make_unique<CollectingSink>());
    REQUIRE(client.shard->submit(request, *sinks.back()).ticket);
  }
  run_until(loop, [&] {
    return std::all_of(sinks.begin(), sinks.end(),
                       [](const auto& sink) { return sink->answer.done; });
  });
  for (int i = 0; i < 30; ++i) {
    CAPTURE(i);
    const std::string error = sinks[static_cast<std::size_t>(i)]->answer.error_text();
    if (i % 10 == 4)
      CHECK(error == "error: relation \"gone\" does not exist");
    else
      CHECK(error == "");
  }
  CHECK(client.shard->round_trips() - before > 30);  // some were skipped, and asked for again
}

TEST_CASE("postgres: between the rows that are ready, others have their turns") {
  FreshDatabase cluster;
  boost::asio::io_context loop;
  backends::postgres::PostgresShardOptions options;
  options.pool.url = cluster.url();
  options.pool.turn = std::chrono::milliseconds(0);  // for one row
  backends::postgres::PostgresShard shard(loop, options);
  run_until(loop, [&] { return shard.healthy(); });
  RowsOfTurns sink;
  const std::string payload =
      test_support::ShardClient::payload(Rpc::sql, R"x(["SELECT generate_series(1, 300)",[],{}])x");
  const std::string_view pieces[] = {payload};
  backends::Request request;
  request.rpc = Rpc::sql;
  request.pieces = pieces;
  request.stream = true;
  REQUIRE(shard.submit(request, sink).ticket);
  std::function<void()> other = [&] {
    sink.end_turn();
    if (!sink.done()) boost::asio::post(loop, other);
  };
  boost::asio::post(loop, other);
  run_until(loop, [&] { return sink.done(); });
  CHECK(sink.rows() == 300);
  CHECK(sink.most() == 1);
}

TEST_CASE("postgres: of all shards' connections each has answers taken in its turn") {
  constexpr int kGets = 40;
  FreshDatabase cluster;
  boost::asio::io_context loop;
  backends::postgres::PostgresShardOptions options;
  options.pool.url = cluster.url();
  options.pool.turn = std::chrono::milliseconds(0);  // for one answer
  backends::postgres::PostgresShard first(loop, options), second(loop, options);
  run_until(loop, [&] { return first.healthy() && second.healthy(); });
  test_support::ShardClient client(first, loop);
  CHECK(client.call(Rpc::create_bucket, R"(["b",{},{}])").error_text() == "");
  CHECK(client.call(Rpc::put_object, R"(["b","k",{"n":1},{}])").error_text() == "");
  PostgresSession others(cluster.url()), watch(cluster.url());
  const auto busy = [&](const std::string& which) {
    return watch.number(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND pid <> pg_backend_pid() AND " +
        which);
  };
  const std::string payload =
      test_support::ShardClient::payload(Rpc::get_object, R"(["b","k",{"noCache":true}])");
  const std::string_view pieces[] = {payload};
  // By how many answers one connection was ahead of the other.
  const auto ahead = [&] {
    others.run("BEGIN; LOCK TABLE b IN ACCESS EXCLUSIVE MODE");
    RowsOfTurns of_first, of_second;
    for (int i = 0; i < kGets; ++i) {
      backends::Request request;
      request.rpc = Rpc::get_object;
      request.pieces = pieces;
      REQUIRE(first.submit(request, of_first).ticket);
      REQUIRE(second.submit(request, of_second).ticket);
    }
    loop.poll();  // both have sent theirs
    while (busy("wait_event_type = 'Lock'") != 2) loop.poll();
    others.run("COMMIT");
    // All answers should be on their way, and none is taken.
    for (int idle = 0; idle < 20;) idle = busy("state <> 'idle'") == 0 ? idle + 1 : 0;
    int most = 0, in_turn = 0;
    std::function<void()> other = [&] {
      most = std::max(most, std::abs(of_first.rows() - of_second.rows()));
      in_turn = std::max(in_turn, of_first.end_turn() + of_second.end_turn());
      if (of_first.rows() + of_second.rows() < 2 * kGets) boost::asio::post(loop, other);
    };
    boost::asio::post(loop, other);
    run_until(loop, [&] { return of_first.rows() + of_second.rows() == 2 * kGets; });
    loop.poll();  // a look that is posted still, which refers to this call's variables
    CHECK(in_turn == 1);
    return most;
  };
  // Between two statements a server is idle, too, so that on a busy machine the answers of one may
  // come when the other's are taken: it is done again then. Taken in no order, one is always ahead
  // by all of its answers; eight of one may wait for the look of their last one.
  int least = kGets;
  for (int i = 0; i < 20 && least >= kGets / 2; ++i) least = std::min(least, ahead());
  CHECK(least < kGets / 2);
}
