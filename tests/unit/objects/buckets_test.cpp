// Bucket configurations: what is refused, what an update changes; arguments of RPCs.
#include <doctest/doctest.h>

#include "objects/arguments.hpp"
#include "objects/bucket.hpp"
#include "tests/unit/objects/values.hpp"

using namespace objects;

namespace {

std::string refusal(const char* name, const char* config) {
  const auto bucket = check_bucket(name, value(config));
  return bucket ? "" : bucket.error().name;
}

Bucket stored(const char* config) { return *check_bucket("b", value(config)); }

std::string complaint(const char* rpc, const char* arguments) {
  const auto error = check_arguments(rpc, *value(arguments).array());
  return error ? error->message : "";
}

}  // namespace

TEST_CASE("bucket: names and configurations that moray refuses") {
  CHECK(refusal("good_name", "{}").empty());
  CHECK(refusal("1abc", "{}") == "InvalidBucketNameError");
  CHECK(refusal("moray", "{}") == "InvalidBucketNameError");
  CHECK(refusal("b", R"({"index":{"a":{"type":"nonsense"}}})") != "");
  CHECK(refusal("b", R"({"index":{"_id":{"type":"string"}}})") == "InvalidBucketConfigError");
  CHECK(refusal("b", R"({"options":{"version":-1}})") == "InvalidBucketConfigError");
  CHECK(refusal("b", R"({"pre":["not a function"]})") != "");
  CHECK(refusal("b", R"({"pre":"x"})") == "InvalidBucketConfigError");
}

TEST_CASE("bucket: an update adds, removes and redefines indexes, and remembers what to reindex") {
  const Bucket before =
      stored(R"({"index":{"a":{"type":"string"},"b":{"type":"number"}},"options":{"version":1}})");
  const auto update = update_bucket(
      before,
      stored(R"({"index":{"a":{"type":"number"},"c":{"type":"string"}},"options":{"version":2}})"),
      false);
  REQUIRE(update);
  CHECK(update->added == std::vector<std::string>{"a", "c"});
  CHECK(update->removed == std::vector<std::string>{"a", "b"});
  CHECK(update->bucket.reindexing("c"));
  CHECK(update->bucket.usable_field("c") == nullptr);
  CHECK(update->bucket.field("c") != nullptr);

  const auto without = update_bucket(
      before, stored(R"({"index":{"c":{"type":"string"}},"options":{"version":2}})"), true);
  REQUIRE(without);
  CHECK_FALSE(without->bucket.reindexing("c"));

  const auto older = update_bucket(before, stored(R"({"options":{"version":1}})"), false);
  CHECK_FALSE(older);
  CHECK(older.error().name == "BucketVersionError");
}

TEST_CASE("bucket: getBucket's row has texts of JSON") {
  const JsObject row = bucket_row(stored(R"({"index":{"a":{"type":"string"}}})"));
  CHECK(*row.find("index")->string() == R"({"a":{"type":"string"}})");
  CHECK(*row.find("pre")->string() == "[]");
  CHECK(*row.find("options")->string() == R"({"version":0})");
}

TEST_CASE("arguments: moray's validator speaks of the first that does not fit") {
  CHECK(complaint("getObject", R"(["b","k",{}])").empty());
  CHECK(complaint("getObject", R"(["b","k"])") == "getObject expects 3 arguments");
  CHECK(complaint("getObject", R"(["","k",{}])")
            .find("to be a nonempty string: bucket should NOT be shorter than 1 characters") !=
        std::string::npos);
  CHECK(complaint("putObject", R"(["b","k",[],{}])")
            .find("\"value\" (args[2]) to be an object: value should be object") !=
        std::string::npos);
  CHECK(complaint("reindexObjects", R"(["b",1.5,{}])").find("count") != std::string::npos);
  CHECK(complaint("batch", R"([[{"bucket":"b","operation":"nonsense"}],{}])")
            .find("requests[0].operation") != std::string::npos);
  CHECK(complaint("ping", R"([{"req_id":"x"}])")
            .find("options.req_id should match format \"uuid\"") != std::string::npos);
  CHECK(complaint("unknown", "[]").empty());
}
