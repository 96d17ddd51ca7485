// Random buckets, objects, filters, sorts, updates and batches from a seed, against an embedded and
// a PostgreSQL shard: the same answers. Of the latter there are two, as of two processes, each with
// what it knows of buckets; gets come in bursts, too; and between them clients run SQL that minds
// nobody. Four seeds at once, each in its own thread and stores.
// MORAY_ROUTER_SEED: the first of them; MORAY_ROUTER_OPERATIONS: how many of all four.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <list>
#include <memory>
#include <random>
#include <thread>

#include "backends/embedded/embedded_shard.hpp"
#include "backends/postgres/postgres_shard.hpp"
#include "tests/contract/hostile_sql.hpp"
#include "tests/contract/random_requests.hpp"
#include "tests/contract/shard_client.hpp"
#include "tests/support/postgres_cluster.hpp"

using namespace test_support;
using backends::Rpc;
using objects::JsArray;
using objects::JsObject;
using objects::JsValue;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kOperations = 10'000;
#else
constexpr int kOperations = 100'000;
#endif

bool is_update_etag(const std::string& text) { return text.size() == 8 && text[0] == 'u'; }

/// Without what differs from store to store: ids, times, etags of updates.
JsValue masked(const JsValue& value) {
  if (const JsArray* array = value.array()) {
    JsArray result;
    for (const JsValue& each : *array) result.push_back(masked(each));
    return result;
  }
  if (const JsObject* object = value.object()) {
    JsObject result;
    for (const auto& [name, member] : object->members()) {
      const bool etag = member.string() != nullptr && is_update_etag(*member.string());
      if (name == "_id" || name == "_mtime" || name == "mtime") continue;
      result.set(name, etag ? JsValue("<u-etag>") : masked(member));
    }
    return result;
  }
  return value;
}

std::string masked_text(std::string text) {
  for (std::size_t at = text.find("\"u"); at != std::string::npos; at = text.find("\"u", at + 1))
    if (at + 9 < text.size() && text[at + 9] == '"') text.replace(at + 1, 8, "<u-etag>");
  return text;
}

/// An error's name alone.
std::string name_of(const std::string& error) { return error.substr(0, error.find(':')); }

/// What an answer says, as a text to be compared. Rows without a sort come in any order, and which
/// of those that a reindex can't convert it meets first is each store's affair.
std::string said(const Answer& answer, const RandomRequest& request) {
  const bool any_order = request.any_order;
  if (request.rpc == Rpc::reindex_objects && answer.error) return name_of(answer.error_text());
  std::vector<std::string> rows;
  for (const JsValue& value : answer.values) rows.push_back(objects::stringify(masked(value)));
  if (any_order) std::sort(rows.begin(), rows.end());
  std::string text;
  for (const std::string& row : rows) text += row + "\n";
  return text + masked_text(answer.error_text());
}

struct Outcome {
  std::string difference;  // empty: none
  int operations = 0, errors = 0, rows = 0, hostile = 0;
};

/// A PostgreSQL shard as a process has it.
struct PostgresSide {
  PostgresSide(boost::asio::io_context& on, const std::string& url)
      : loop(on), shard(on, options_for(url)), client(shard, on) {
    run_until(loop, [&] { return shard.healthy(); });
  }
  static backends::postgres::PostgresShardOptions options_for(const std::string& url) {
    backends::postgres::PostgresShardOptions options;
    options.pool.url = url;
    return options;
  }
  /// All of them in one turn.
  std::vector<Answer> burst(const std::vector<RandomRequest>& requests) {
    std::list<CollectingSink> sinks;
    for (const RandomRequest& request : requests) {
      const std::string text = ShardClient::payload(request.rpc, request.arguments);
      const std::string_view piece = text;
      backends::Request sent;
      sent.rpc = request.rpc;
      sent.pieces = {&piece, 1};
      REQUIRE(shard.submit(sent, sinks.emplace_back()).ticket);
    }
    run_until(loop, [&] {
      return std::all_of(sinks.begin(), sinks.end(),
                         [](const CollectingSink& sink) { return sink.answer.done; });
    });
    std::vector<Answer> answers;
    for (const CollectingSink& sink : sinks) answers.push_back(sink.answer);
    return answers;
  }

  boost::asio::io_context& loop;
  backends::postgres::PostgresShard shard;
  ShardClient client;
};

/// One lane: an embedded shard, and two processes' PostgreSQL shards of one database.
class Lane {
 public:
  Lane(unsigned seed, const std::string& url)
      : seed_(seed), dice_(seed * 31), requests_(seed),
        embedded_(loop_,
                  std::make_shared<backends::embedded::Owner>(
                      backends::embedded::StoreOptions{directory_.path() / "shard"}, false),
                  "shard", 100),
        one_(embedded_, loop_), sides_{PostgresSide(loop_, url), PostgresSide(loop_, url)} {}

  Outcome run(int operations) {
    while (outcome_.operations < operations && outcome_.difference.empty()) {
      PostgresSide& side = sides_[dice_() % 2];
      switch (dice_() % 40) {
        case 0: hostile(side); break;
        case 1: burst(side); break;
        default: {
          const RandomRequest request = requests_.next();
          judge(request, side.client.call(request.rpc, request.arguments));
        }
      }
    }
    return outcome_;
  }

 private:
  void judge(const RandomRequest& request, const Answer& right) {
    const Answer left = one_.call(request.rpc, request.arguments);
    requests_.learn(request, left);
    ++outcome_.operations;
    outcome_.errors += left.error ? 1 : 0;
    outcome_.rows += static_cast<int>(left.values.size());
    const std::string expected = said(left, request), found = said(right, request);
    if (expected == found || !outcome_.difference.empty()) return;
    outcome_.difference = "MORAY_ROUTER_SEED=" + std::to_string(seed_) + ", operation " +
                          std::to_string(outcome_.operations) + ": " +
                          std::string(backends::to_string(request.rpc)) + " " + request.arguments +
                          "\nembedded: " + expected + "\npostgres: " + found;
  }
  void burst(PostgresSide& side) {
    const std::vector<RandomRequest> gets = requests_.gets();
    const std::vector<Answer> answers = side.burst(gets);
    for (std::size_t i = 0; i < gets.size(); ++i) judge(gets[i], answers[i]);
  }
  /// Its answer may be an error; the answers of others are judged after it.
  void hostile(PostgresSide& side) {
    const auto scripts = hostile_scripts("b" + std::to_string(1 + dice_() % 3));
    side.client.call(Rpc::sql, objects::stringify(JsArray{scripts[dice_() % scripts.size()],
                                                          JsArray{}, JsObject()}));
    ++outcome_.hostile;
  }

  unsigned seed_;
  std::mt19937 dice_;
  RandomRequests requests_;
  const TemporaryDirectory directory_;
  boost::asio::io_context loop_;
  backends::embedded::EmbeddedShard embedded_;
  ShardClient one_;
  PostgresSide sides_[2];
  Outcome outcome_;
};

}  // namespace

TEST_CASE("differential: an embedded and a PostgreSQL shard answer alike") {
  constexpr int kLanes = 4;
  const char* seed = std::getenv("MORAY_ROUTER_SEED");
  const char* wanted = std::getenv("MORAY_ROUTER_OPERATIONS");
  const unsigned first = seed == nullptr ? 1 : static_cast<unsigned>(std::atoi(seed));
  const int operations = (wanted == nullptr ? kOperations : std::atoi(wanted)) / kLanes;

  PostgresCluster cluster;
  std::vector<Outcome> outcomes(kLanes);
  std::vector<std::thread> lanes;
  for (int i = 0; i < kLanes; ++i)
    lanes.emplace_back(
        [&outcomes, first, operations, i, url = cluster.make_database("lane" + std::to_string(i))] {
          try {
            outcomes[static_cast<std::size_t>(i)] =
                Lane(first + static_cast<unsigned>(i), url).run(operations);
          } catch (...) {
            outcomes[static_cast<std::size_t>(i)].difference = "a request was not answered";
          }
        });
  for (std::thread& lane : lanes) lane.join();
  for (const Outcome& outcome : outcomes) {
    CHECK(outcome.difference == "");
    MESSAGE(outcome.operations << " operations, " << outcome.errors << " errors, " << outcome.rows
                               << " values, " << outcome.hostile << " hostile scripts");
    CHECK(outcome.errors < operations / 2);
    CHECK(outcome.rows > operations / 2);
  }
}
