// Requests that wait: for a server that takes nothing, and for connections that slow readers hold.
#include <doctest/doctest.h>

#include <list>
#include <memory>
#include <string>
#include <vector>

#include "tests/contract/postgres_client.hpp"
#include "tests/contract/postgres_relay.hpp"

using namespace test_support;
using backends::Rpc;
using Client = test_support::PostgresClient;

namespace {

/// A request that nobody waits for yet.
struct Given {
  Given(Client& client, Rpc rpc, const std::string& arguments, std::uint32_t affinity = 0) {
    const std::string text = ShardClient::payload(rpc, arguments);
    const std::string_view piece = text;
    backends::Request request;
    request.rpc = rpc;
    request.pieces = {&piece, 1};
    request.affinity = affinity;
    request.stream = rpc == Rpc::find_objects || rpc == Rpc::sql;
    const auto submitted = client.shard->submit(request, sink);
    REQUIRE(submitted.ticket);
    ticket = *submitted.ticket;
  }
  CollectingSink sink;
  backends::Ticket ticket;
};

/// Takes its first row, and no more until it is told to.
class SlowReader final : public backends::ReplySink {
 public:
  explicit SlowReader(Client& client) : client_(client) {
    const std::string text = ShardClient::payload(
        Rpc::sql, R"x(["SELECT repeat('x', 1000) FROM generate_series(1, 20000)",[],{}])x");
    const std::string_view piece = text;
    backends::Request request;
    request.rpc = Rpc::sql;
    request.pieces = {&piece, 1};
    request.stream = true;
    ticket_ = client.shard->submit(request, *this).ticket;
    REQUIRE(ticket_);
  }
  void on_data(const backends::Reply&) override {
    ++rows;
    client_.shard->pause(*ticket_);
  }
  void on_end(const backends::Reply&) override { over = "end"; }
  void on_error(const backends::Reply& reply) override { over = reply.payload; }
  void on_failure(const backends::Failure& failure) override { over = failure.message; }

  std::size_t rows = 0;
  std::string over;

 private:
  Client& client_;
  std::optional<backends::Ticket> ticket_;
};

/// Puts of numbers to `vnodes` keys in turn were all done, and of each key the last one last.
void check_last_puts(Client& client, const std::list<Given>& puts, int vnodes) {
  for (const Given& put : puts) CHECK(put.sink.answer.error_text() == "");
  for (int vnode = 0; vnode < vnodes; ++vnode) {
    const Answer read =
        client.good(Rpc::get_object, R"(["b","k)" + std::to_string(vnode) + R"(",{}])");
    CHECK(text_of(*read.values[0].get("value"), "n") ==
          std::to_string(static_cast<int>(puts.size()) - vnodes + vnode));
  }
}

}  // namespace

TEST_CASE("postgres: what is given up before a stopped server takes it is never done") {
  PostgresCluster cluster;
  Relay relay(cluster.port(), [](std::string&) {});
  boost::asio::io_context loop;
  Client client(loop, relay.url());
  client.good(Rpc::create_bucket, R"(["b",{},{}])");
  client.good(Rpc::put_object, R"(["b","first",{},{}])");
  relay.hold(true);
  const std::string text(250'000, 'x');
  std::list<Given> puts;
  constexpr int kPuts = 100;
  for (int i = 0; i < kPuts; ++i) {
    const auto number = std::to_string(i);
    puts.emplace_back(client, Rpc::put_object,
                      R"(["b","k)" + number + R"(",{"text":")" + text + R"("},{}])",
                      static_cast<std::uint32_t>(i));
    loop.poll();
  }
  int never_done = 0;
  for (Given& put : puts)
    if (client.shard->cancel(put.ticket)) ++never_done;
  CHECK(never_done > kPuts / 2);  // some megabytes are in sockets, and in libpq
  CHECK(client.shard->status().in_flight == static_cast<std::size_t>(kPuts - never_done));
  relay.hold(false);
  run_until(loop, [&] { return client.shard->status().in_flight == 0; });
  const auto rows = client.sql("SELECT count(*)::int AS n FROM b");
  CHECK(text_of(rows[0], "n") == std::to_string(1 + kPuts - never_done));
}

TEST_CASE("postgres: a vnode's requests keep their order while a server takes nothing") {
  PostgresCluster cluster;
  Relay relay(cluster.port(), [](std::string&) {});
  boost::asio::io_context loop;
  Client client(loop, relay.url());
  client.good(Rpc::create_bucket, R"(["b",{},{}])");
  client.good(Rpc::put_object, R"(["b","first",{},{}])");
  relay.hold(true);
  const std::string text(250'000, 'x');
  std::list<Given> puts;
  constexpr int kPuts = 60, kVnodes = 3;
  for (int i = 0; i < kPuts; ++i) {
    puts.emplace_back(client, Rpc::put_object,
                      R"(["b","k)" + std::to_string(i % kVnodes) + R"(",{"n":)" +
                          std::to_string(i) + R"(,"text":")" + text + R"("},{}])",
                      static_cast<std::uint32_t>(i % kVnodes));
    loop.poll();
  }
  relay.hold(false);
  run_until(loop, [&] { return client.shard->status().in_flight == 0; });
  check_last_puts(client, puts, kVnodes);
}

TEST_CASE("postgres: a vnode's requests keep their order where many are under way") {
  FreshDatabase cluster;
  boost::asio::io_context loop;
  Client client(loop, cluster.url());
  client.good(Rpc::create_bucket, R"(["b",{},{}])");
  client.good(Rpc::put_object, R"(["b","first",{},{}])");
  std::list<Given> puts;
  constexpr int kPuts = 2'000, kVnodes = 5;
  for (int i = 0; i < kPuts; ++i) {
    const std::string vnode = std::to_string(i % kVnodes);
    puts.emplace_back(client, Rpc::put_object,
                      R"(["b","k)" + vnode + R"(",{"n":)" + std::to_string(i) + "},{}]",
                      static_cast<std::uint32_t>(i % kVnodes));
    if (i % 300 == 0) loop.poll();
  }
  run_until(loop, [&] { return client.shard->status().in_flight == 0; });
  check_last_puts(client, puts, kVnodes);
}

TEST_CASE("postgres: few large answers are asked for at once, and none for those who left") {
  FreshDatabase cluster;
  boost::asio::io_context loop;
  Client client(loop, cluster.url());
  client.good(Rpc::create_bucket, R"(["b",{},{}])");
  const std::string text(3'000'000, 'x');
  client.good(Rpc::put_object, R"(["b","k",{"text":")" + text + R"("},{}])");
  std::list<Given> gets;
  constexpr std::uint32_t kGets = 60;
  const auto give = [&] {
    gets.clear();
    for (std::uint32_t i = 0; i < kGets; ++i)
      gets.emplace_back(client, Rpc::get_object, R"(["b","k",{}])", i);
  };
  give();
  run_until(loop, [&] { return client.shard->status().in_flight == 0; });
  for (const Given& get : gets) {
    CHECK(get.sink.answer.error_text() == "");
    REQUIRE(get.sink.answer.values.size() == 1);
    CHECK(text_of(*get.sink.answer.values[0].get("value"), "text") == text);
  }
  const std::uint64_t before = client.shard->round_trips();
  give();
  // No further: while answers come faster than they are taken, there is always something to do.
  run_until(loop, [&] { return client.shard->round_trips() > before; });
  for (Given& get : gets) client.shard->cancel(get.ticket);
  CHECK(client.shard->status().in_flight == 0);
  client.good(Rpc::get_object, R"(["b","k",{}])");
  CHECK(client.shard->round_trips() - before < kGets / 2);
}

TEST_CASE("postgres: slow readers keep neither batches nor other finds from their connections") {
  FreshDatabase cluster;
  boost::asio::io_context loop;
  Client client(loop, cluster.url());  // two for exclusive use
  client.good(Rpc::create_bucket, R"(["b",{"index":{"n":{"type":"number"}}},{}])");
  std::list<SlowReader> slow;
  for (int i = 0; i < 3; ++i) slow.emplace_back(client);
  run_until(loop, [&] { return slow.front().rows > 0; });
  // The one that they leave free.
  client.good(Rpc::batch,
              R"([[{"bucket":"b","key":"k","value":{"n":1},"options":{"etag":null}}],{}])");
  const Answer found = client.good(Rpc::find_objects, R"x(["b","(n=1)",{}])x");
  CHECK(found.values.size() == 1);
  std::size_t ended = 0;
  for (const SlowReader& reader : slow)
    if (reader.over.find("others wait for the connection") != std::string::npos) ++ended;
  CHECK(ended > 0);
  CHECK(ended <= slow.size());
}

TEST_CASE("postgres: one that waits for a connection, and whose client leaves, does nothing") {
  FreshDatabase cluster;
  boost::asio::io_context loop;
  Client client(loop, cluster.url());
  client.good(Rpc::create_bucket, R"(["b",{"index":{"n":{"type":"number"}}},{}])");
  client.good(Rpc::put_object, R"(["b","k",{"n":1},{}])");
  PostgresSession other(cluster.url());
  other.run("BEGIN; SELECT 1 FROM b FOR UPDATE");
  std::list<Given> updates;
  for (int i = 0; i < 8; ++i)
    updates.emplace_back(client, Rpc::update_objects, R"x(["b",{"n":2},"(n=1)",{}])x");
  run_until(loop, [&] { return client.shard->status().connections >= 4; });  // two of them wait
  int never_done = 0;
  for (Given& update : updates)
    if (client.shard->cancel(update.ticket)) ++never_done;
  CHECK(never_done == 6);
  other.run("ROLLBACK");
  run_until(loop, [&] { return client.shard->status().in_flight == 0; });
  CHECK(client.good(Rpc::find_objects, R"x(["b","(n=2)",{}])x").values.size() == 1);
}

TEST_CASE(
    "postgres: a vnode that went round a lock stays there while something of it is under way") {
  constexpr std::uint32_t kOwn = 0, kBeside = 2;  // of two connections both have the first
  FreshDatabase cluster;
  boost::asio::io_context loop;
  backends::postgres::PostgresShardOptions options;
  options.pool.astray = std::chrono::minutes(10);
  Client client(loop, cluster.url(), 2, options);
  run_until(loop, [&] { return client.shard->status().connections >= 2; });
  client.good(Rpc::create_bucket, R"(["b",{"index":{"n":{"type":"number"}}},{}])");
  for (const char* key : {"x", "k", "y"})
    client.good(Rpc::put_object, R"(["b",")" + std::string(key) + R"(",{"n":0},{}])");
  const auto waiters = [&] {
    return text_of(client.sql("SELECT count(*)::int AS n FROM pg_stat_activity WHERE "
                              "datname = current_database() AND wait_event_type = 'Lock'")[0],
                   "n");
  };
  PostgresSession holds_x(cluster.url()), holds_k(cluster.url());
  holds_x.run("BEGIN; SELECT 1 FROM b WHERE _key = 'x' FOR UPDATE");
  holds_k.run("BEGIN; SELECT 1 FROM b WHERE _key = 'k' FOR UPDATE");
  Given x(client, Rpc::put_object, R"(["b","x",{"n":1},{}])", kBeside);
  run_until(loop, [&] { return waiters() == "1"; });
  const auto stalled = std::chrono::steady_clock::now() + std::chrono::milliseconds(100);
  run_until(loop, [&] { return std::chrono::steady_clock::now() > stalled; });
  Given first(client, Rpc::put_object, R"(["b","k",{"n":1},{}])", kOwn);
  run_until(loop, [&] { return waiters() == "2"; });
  holds_x.run("COMMIT");
  run_until(loop, [&] { return x.sink.answer.done; });
  // Its own connection is free again. What would be sent there is done before `y` is.
  Given second(client, Rpc::put_object, R"(["b","k",{"n":2},{}])", kOwn);
  Given y(client, Rpc::put_object, R"(["b","y",{"n":1},{}])", kBeside);
  run_until(loop, [&] { return y.sink.answer.done; });
  CHECK(waiters() == "1");
  holds_k.run("COMMIT");
  run_until(loop, [&] { return first.sink.answer.done && second.sink.answer.done; });
  for (const Given* put : {&x, &first, &second, &y}) CHECK(put->sink.answer.error_text() == "");
  const Answer read = client.good(Rpc::get_object, R"(["b","k",{"noCache":true}])");
  CHECK(text_of(*read.values[0].get("value"), "n") == "2");
}
