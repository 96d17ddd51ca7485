// Every exchange that was recorded from a real moray, in order, against one shard of each kind that
// keeps objects.
#include <map>

#include <doctest/doctest.h>

#include "backends/embedded/embedded_shard.hpp"
#include "backends/postgres/postgres_shard.hpp"
#include "tests/contract/shard_client.hpp"
#include "tests/support/postgres_cluster.hpp"
#include "tests/support/test_data.hpp"
#include "tests/unit/objects/values.hpp"

using namespace test_support;
using objects::JsArray;
using objects::JsObject;
using objects::JsValue;

namespace {

bool is_volatile(const std::string& expected, const JsValue& actual) {
  if (expected == "<ms>") return actual.number() != nullptr && *actual.number() > 1e12;
  if (expected == "<iso>") return actual.string() != nullptr && actual.string()->size() == 24;
  if (expected == "<u-etag>")
    return actual.string() != nullptr && actual.string()->size() == 8 &&
           actual.string()->front() == 'u';
  return false;
}

/// Equal but for members that differ from run to run, members in any order.
bool fits(const JsValue& expected, const JsValue& actual) {
  if (expected.string() != nullptr && is_volatile(*expected.string(), actual)) return true;
  if (expected.array() != nullptr && actual.array() != nullptr) {
    if (expected.array()->size() != actual.array()->size()) return false;
    for (std::size_t i = 0; i < expected.array()->size(); ++i)
      if (!fits((*expected.array())[i], (*actual.array())[i])) return false;
    return true;
  }
  if (expected.object() == nullptr || actual.object() == nullptr) return expected == actual;
  if (expected.object()->size() != actual.object()->size()) return false;
  for (const auto& [name, value] : expected.object()->members()) {
    const JsValue* found = actual.get(name);
    if (found == nullptr || !fits(value, *found)) return false;
  }
  return true;
}

/// The rows of a find without a sort come in no promised order.
JsValue sorted_by_key(const JsArray& rows) {
  JsArray sorted = rows;
  std::stable_sort(sorted.begin(), sorted.end(), [](const JsValue& a, const JsValue& b) {
    const JsValue* key_a = a.get("key");
    const JsValue* key_b = b.get("key");
    return key_a != nullptr && key_b != nullptr && *key_a->string() < *key_b->string();
  });
  return sorted;
}

/// Where the recording kept of each row but its key and count.
JsValue reduced(const JsArray& rows) {
  JsArray result;
  for (const JsValue& row : rows) {
    JsObject kept;
    for (const char* name : {"key", "_count"})
      if (const JsValue* member = row.get(name)) kept.set(name, *member);
    result.emplace_back(std::move(kept));
  }
  return result;
}

bool any_order(const JsValue& recorded) {
  if (*recorded.get("rpc")->string() != "findObjects") return false;
  const JsArray& arguments = *recorded.get("args")->array();
  return arguments.size() < 3 || arguments[2].get("sort") == nullptr;
}

/// Lines that a kind of shard answers in its own way: number, and `<name>: <message>`, or `*`.
using Differences = std::map<std::size_t, std::string>;

struct Compared {
  std::size_t equal = 0, different = 0;
};

Compared replay(backends::Shard& shard, boost::asio::io_context& loop,
                const Differences& differences) {
  const auto lines = read_lines(data_path("moray/rpc.jsonl.gz"));
  REQUIRE(lines.size() == 328);
  ShardClient client(shard, loop);
  Compared compared;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const JsValue recorded = value(lines[i]);
    const auto rpc = backends::rpc_named(*recorded.get("rpc")->string());
    if (!rpc) {  // the router's to refuse
      CHECK(*recorded.get("rpc")->string() == "nope");
      continue;
    }
    const Answer answer = client.call(*rpc, objects::stringify(*recorded.get("args")));
    CAPTURE(i + 1);
    CAPTURE(lines[i]);
    JsValue expected = *recorded.get("values");
    JsValue actual = JsArray(answer.values.begin(), answer.values.end());
    CAPTURE(objects::stringify(actual));
    CAPTURE(answer.error_text());
    if (const auto own = differences.find(i + 1); own != differences.end()) {
      if (own->second != "*") CHECK(answer.error_text() == own->second);
      ++compared.different;
      continue;
    }
    ++compared.equal;
    if (recorded.get("values_reduced") != nullptr) actual = reduced(*actual.array());
    if (any_order(recorded)) {
      expected = sorted_by_key(*expected.array());
      actual = sorted_by_key(*actual.array());
    }
    CHECK(fits(expected, actual));
    const JsValue* error = recorded.get("error");
    REQUIRE((error != nullptr) == answer.error.has_value());
    if (error != nullptr) {
      CAPTURE(objects::stringify(*answer.error));
      CHECK(fits(*error, *answer.error));
    }
  }
  return compared;
}

}  // namespace

TEST_CASE("embedded: answers as moray did, exchange by exchange") {
  Differences without_sql;
  for (const std::string& line : read_lines(data_path("moray/no_sql.txt")))
    if (line.front() != '#') without_sql[std::stoul(line)] = "Error: Operation not supported";
  REQUIRE(without_sql.size() == 11);
  const TemporaryDirectory directory;
  boost::asio::io_context loop;
  backends::embedded::EmbeddedShard shard(
      loop,
      std::make_shared<backends::embedded::Owner>(
          backends::embedded::StoreOptions{directory.path() / "shard"}, false),
      "shard", 100);
  const Compared compared = replay(shard, loop, without_sql);
  CHECK(compared.different == without_sql.size());
  CHECK(compared.equal == 328 - 11 - 1);
}

TEST_CASE("postgres: answers as moray did, exchange by exchange") {
  PostgresCluster cluster;
  boost::asio::io_context loop;
  backends::postgres::PostgresShardOptions options;
  options.pool.url = cluster.url();
  backends::postgres::PostgresShard shard(loop, options);
  run_until(loop, [&] { return shard.healthy(); });
  const Differences differences{
      {78, "*"},  // sql_only: the statement is another one
  };
  const Compared compared = replay(shard, loop, differences);
  CHECK(compared.different == differences.size());
  CHECK(compared.equal == 328 - differences.size() - 1);
}
