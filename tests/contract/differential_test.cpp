// Random buckets, objects, filters, sorts, updates and batches from a seed, against an embedded and
// a PostgreSQL shard: the same answers. Four seeds at once, each in its own thread and stores.
// MORAY_ROUTER_SEED: the first of them; MORAY_ROUTER_OPERATIONS: how many of all four.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <thread>

#include "backends/embedded/embedded_shard.hpp"
#include "backends/postgres/postgres_shard.hpp"
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

/// What an answer says, as a text to be compared. Rows without a sort come in any order.
std::string said(const Answer& answer, bool any_order) {
  std::vector<std::string> rows;
  for (const JsValue& value : answer.values) rows.push_back(objects::stringify(masked(value)));
  if (any_order) std::sort(rows.begin(), rows.end());
  std::string text;
  for (const std::string& row : rows) text += row + "\n";
  return text + masked_text(answer.error_text());
}

struct Outcome {
  std::string difference;  // empty: none
  int errors = 0, rows = 0;
};

/// Fails nothing by itself: it runs in a thread of its own.
Outcome compare(unsigned seed, int operations, const std::string& url) {
  Outcome outcome;
  const TemporaryDirectory directory;
  boost::asio::io_context loop;
  backends::postgres::PostgresShardOptions options;
  options.pool.url = url;
  backends::postgres::PostgresShard postgres(loop, options);
  backends::embedded::EmbeddedShard embedded(
      loop,
      std::make_shared<backends::embedded::Owner>(
          backends::embedded::StoreOptions{directory.path() / "shard"}, false),
      "shard", 100);
  run_until(loop, [&] { return postgres.healthy(); });
  ShardClient one(embedded, loop), other(postgres, loop);
  RandomRequests requests(seed);
  for (int i = 0; i < operations; ++i) {
    const RandomRequest request = requests.next();
    const Answer left = one.call(request.rpc, request.arguments);
    const Answer right = other.call(request.rpc, request.arguments);
    requests.learn(request, left);
    outcome.errors += left.error ? 1 : 0;
    outcome.rows += static_cast<int>(left.values.size());
    const std::string expected = said(left, request.any_order),
                      found = said(right, request.any_order);
    if (expected == found) continue;
    outcome.difference = "MORAY_ROUTER_SEED=" + std::to_string(seed) + ", request " +
                         std::to_string(i) + ": " + std::string(backends::to_string(request.rpc)) +
                         " " + request.arguments + "\nembedded: " + expected +
                         "\npostgres: " + found;
    break;
  }
  return outcome;
}

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
                compare(first + static_cast<unsigned>(i), operations, url);
          } catch (...) {
            outcomes[static_cast<std::size_t>(i)].difference = "a request was not answered";
          }
        });
  for (std::thread& lane : lanes) lane.join();
  for (const Outcome& outcome : outcomes) {
    CHECK(outcome.difference == "");
    MESSAGE(operations << " operations, " << outcome.errors << " errors, " << outcome.rows
                       << " values");
    CHECK(outcome.errors < operations / 2);
    CHECK(outcome.rows > operations / 2);
  }
}
