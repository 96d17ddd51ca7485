// Each answer is of the request that waits for it, though those before it fail, or their connection
// is lost.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <list>
#include <random>
#include <string>

#include <boost/asio/post.hpp>

#include "tests/contract/postgres_client.hpp"
#include "tests/contract/postgres_relay.hpp"

using namespace test_support;
using backends::Rpc;
using Client = test_support::PostgresClient;
using backends::postgres::PostgresShardOptions;

namespace {

constexpr int kKeys = 40;

std::string key_of(int i) { return "key" + std::to_string(i); }

/// Some rows are larger than what a socket takes at once.
std::size_t bytes_of(int i) { return i % 10 == 0 ? 300'000 : i % 3 == 0 ? 9'000 : 10; }

/// Takes one result a turn, so that requests come in between wherever they can.
PostgresShardOptions in_small_turns(const std::string& url, std::size_t connections) {
  PostgresShardOptions options;
  options.pool.url = url;
  options.pool.point_connections = connections;
  options.pool.exclusive_connections = 2;
  options.pool.turn = std::chrono::milliseconds(0);
  options.pool.retry_min = std::chrono::milliseconds(1);
  options.pool.retry_max = std::chrono::milliseconds(5);
  return options;
}

/// Asks for one row after the other, and says which answers were another's.
class Asker final : public backends::ReplySink {
 public:
  Asker(backends::Shard& shard, boost::asio::io_context& loop, std::uint64_t seed)
      : shard_(shard), loop_(loop), random_(seed) {}

  /// By way of the loop, among what else happens there.
  void ask() {
    boost::asio::post(loop_, [this] { submit(); });
  }
  /// As a client that leaves: its answer may still come.
  void leave() {
    if (ticket_ && shard_.cancel(*ticket_)) over();
  }
  void stop() { stopped_ = true; }
  [[nodiscard]] bool waits() const { return waits_; }

  std::size_t answers = 0;
  std::string failure;  ///< the first loss of a connection
  std::string wrong;    ///< the first answer that was not its own
  std::string error;    ///< the first verdict of the shard that no read of a row that is there has

  void on_data(const backends::Reply& reply) override {
    if (writes_) return;
    const std::string own = "\"key\":\"" + key_of(key_) + "\"";
    const std::string size(bytes_of(key_), 'x');
    got_ = true;
    if (reply.payload.find(own) == std::string::npos ||
        reply.payload.find("\"" + size + "\"") == std::string::npos)
      note(wrong, std::string(reply.payload));
  }
  void on_end(const backends::Reply&) override {
    if (!got_ && !writes_) note(wrong, "no row");
    ++answers;
    over();
  }
  void on_error(const backends::Reply& reply) override {
    const std::string said(reply.payload);
    if (said.find("QueryTimeoutError") == std::string::npos &&
        said.find("canceling statement") == std::string::npos &&
        said.find("administrator command") == std::string::npos)
      note(error, said);
    over();
  }
  void on_failure(const backends::Failure& why) override {
    note(failure, why.message);
    if (why.message.find(backends::postgres::kOutOfStep) != std::string::npos)
      note(error, why.message);
    over();
  }

 private:
  void note(std::string& first, const std::string& said) const {
    if (first.empty()) first = key_of(key_) + " was answered: " + said.substr(0, 300);
  }
  void submit() {
    if (stopped_) return;
    key_ = static_cast<int>(random_() % kKeys);
    writes_ = random_() % 8 == 0;
    got_ = false;
    const bool limited = random_() % 3 == 0;  // by a statement in front of it
    const std::string options = limited ? R"({"timeout":20000})" : "{}";
    const std::string arguments =
        "[\"b\",\"" + key_of(key_) + "\"," +
        (writes_ ? "{\"text\":\"" + std::string(bytes_of(key_), 'x') + "\"}," : "") + options + "]";
    const std::string text =
        ShardClient::payload(writes_ ? Rpc::put_object : Rpc::get_object, arguments);
    const std::string_view piece = text;
    backends::Request request;
    request.rpc = writes_ ? Rpc::put_object : Rpc::get_object;
    request.pieces = {&piece, 1};
    request.affinity = static_cast<std::uint32_t>(key_);
    waits_ = true;
    ticket_ = shard_.submit(request, *this).ticket;
    if (!ticket_) over();
  }
  void over() {
    ticket_.reset();
    waits_ = false;
    ask();
  }

  backends::Shard& shard_;
  boost::asio::io_context& loop_;
  std::mt19937_64 random_;
  std::optional<backends::Ticket> ticket_;
  int key_ = 0;
  bool writes_ = false, got_ = false, stopped_ = false, waits_ = false;
};

/// Many that ask at the same time.
class Askers {
 public:
  Askers(backends::Shard& shard, boost::asio::io_context& loop, std::size_t count) : loop_(loop) {
    for (std::size_t i = 0; i < count; ++i) all_.emplace_back(shard, loop, i + 1).ask();
  }
  [[nodiscard]] std::size_t answers() const {
    std::size_t count = 0;
    for (const Asker& each : all_) count += each.answers;
    return count;
  }
  Asker& any(std::uint64_t number) {
    return *std::next(all_.begin(), static_cast<std::ptrdiff_t>(number % all_.size()));
  }
  /// Fails the test where an answer was another's, and where a connection was lost that nobody cut.
  void check(bool may_lose) const {
    for (const Asker& each : all_) {
      if (!may_lose) CHECK(each.failure == "");
      CHECK(each.wrong == "");
      CHECK(each.error == "");
    }
  }
  void finish(bool may_lose) {
    if (wrong()) return check(may_lose);  // answers that are another's may be missing elsewhere
    for (Asker& each : all_) each.stop();
    run_until(loop_, [&] {
      return std::none_of(all_.begin(), all_.end(), [](const Asker& each) { return each.waits(); });
    });
    check(may_lose);
  }
  [[nodiscard]] bool wrong() const {
    return std::any_of(all_.begin(), all_.end(), [](const Asker& each) {
      return !each.wrong.empty() || !each.error.empty();
    });
  }

 private:
  boost::asio::io_context& loop_;
  std::list<Asker> all_;
};

void put_all(Client& client) {
  client.good(Rpc::create_bucket, R"(["b",{},{}])");
  for (int i = 0; i < kKeys; ++i)
    client.good(Rpc::put_object, "[\"b\",\"" + key_of(i) + "\",{\"text\":\"" +
                                     std::string(bytes_of(i), 'x') + "\"},{}]");
}

/// Askers at a shard of that many connections, while operators do `trouble` again and again, and
/// now and then a client leaves.
void ask_beside(
    std::size_t connections, bool may_lose,
    const std::function<void(int round, Client& other, PostgresSession& operators)>& trouble) {
  FreshDatabase database;
  boost::asio::io_context loop;
  Client other(loop, database.url());
  put_all(other);
  backends::postgres::PostgresShard shard(loop, in_small_turns(database.url(), connections));
  run_until(loop, [&] { return shard.healthy(); });
  Askers askers(shard, loop, 24);
  PostgresSession operators(database.url());
  constexpr int kRounds = 60;
  for (int round = 1; round <= kRounds && !askers.wrong(); ++round) {
    const std::size_t before = askers.answers();
    run_until(loop, [&] { return askers.answers() > before + 40 || askers.wrong(); });
    trouble(round, other, operators);
    askers.any(static_cast<std::uint64_t>(round)).leave();
  }
  askers.finish(may_lose);
}

/// Does that to each session of others at the database.
std::string of_all_others(const std::string& function) {
  return "SELECT " + function +
         "(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> "
         "pg_backend_pid()";
}

}  // namespace

TEST_CASE("postgres: reads that fail leave each answer to its own request") {
  ask_beside(2, false, [](int round, Client& other, PostgresSession& operators) {
    if (round % 2 == 0)  // all reads that go by the bucket as it was fail
      other.good(Rpc::update_bucket,
                 "[\"b\",{\"options\":{\"version\":" + std::to_string(round) + "}},{}]");
    else
      operators.run(of_all_others("pg_cancel_backend"));
  });
}

TEST_CASE("postgres: sessions that are ended leave each answer to its own request") {
  ask_beside(1, true, [](int, Client&, PostgresSession& operators) {
    operators.run(of_all_others("pg_terminate_backend"));
  });
}

TEST_CASE("postgres: connections that are cut at any byte leave each answer to its own request") {
  FreshDatabase database;
  boost::asio::io_context loop;
  Client other(loop, database.url());
  put_all(other);
  const std::string url = database.url();
  const auto port = static_cast<std::uint16_t>(
      std::stoi(url.substr(url.find("127.0.0.1:") + 10, url.rfind('/'))));
  // The session ends after so many more bytes; with or without its server's word on that.
  std::atomic<std::int64_t> left{1 << 30};
  std::atomic<int> cuts{0};
  Relay relay(port, [&](std::string& said) {
    const auto size = static_cast<std::int64_t>(said.size());
    const std::int64_t before = left.fetch_sub(size);
    if (before > size || before <= 0) return;
    said.resize(static_cast<std::size_t>(before));
    said += kEnded;  // mostly in mid-message: then libpq sees a connection that ends there
    ++cuts;
  });
  const std::string name = url.substr(url.rfind('/'));
  const std::string through = relay.url().substr(0, relay.url().rfind('/')) + name;
  backends::postgres::PostgresShard shard(loop, in_small_turns(through, 1));
  run_until(loop, [&] { return shard.healthy(); });
  Askers askers(shard, loop, 24);
  constexpr int kRounds = 120;
  for (int round = 1; round <= kRounds && !askers.wrong(); ++round) {
    const int cut = cuts;
    left = 1 + 997 * round + (round % 5 == 0 ? 300'000 : 0);
    run_until(loop, [&] { return cuts > cut || askers.wrong(); });
    const std::size_t before = askers.answers();
    run_until(loop, [&] { return askers.answers() > before + 10 || askers.wrong(); });
    askers.any(static_cast<std::uint64_t>(round)).leave();
  }
  CHECK(cuts >= kRounds);
  askers.finish(true);
}

TEST_CASE("postgres: a row of another key is no answer, and ends its connection") {
  PostgresCluster cluster;
  std::atomic<bool> swapped{false};
  Relay relay(cluster.port(), [&](std::string& said) {
    const std::size_t at = swapped ? said.find("mine") : std::string::npos;
    if (at != std::string::npos) said.replace(at, 4, "hers");
  });
  boost::asio::io_context loop;
  Client client(loop, relay.url(), 1);
  client.good(Rpc::create_bucket, R"(["b",{},{}])");
  client.good(Rpc::put_object, R"(["b","mine",{"n":1},{}])");
  client.good(Rpc::get_object, R"(["b","mine",{}])");
  std::uint64_t times = 0;
  for (const char* options : {"{}", R"({"timeout":20000})", R"({"noBucketCache":true})"}) {
    swapped = true;
    const Answer answer =
        client.call(Rpc::get_object, std::string("[\"b\",\"mine\",") + options + "]");
    swapped = false;
    CHECK(answer.values.empty());
    REQUIRE(answer.failure);
    CHECK(answer.failure->kind == backends::FailureKind::connection_lost);
    CHECK(client.shard->status().out_of_step == ++times);
    run_until(loop, [&] { return client.shard->healthy(); });
  }
  client.good(Rpc::get_object, R"(["b","mine",{}])");
}
