#include "ring/key_transform.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "tests/support/test_data.hpp"

TEST_CASE("key transform: every recorded key") {
  std::size_t seen = 0;
  for (const auto& line :
       test_support::read_lines(test_support::data_path("ring/transforms.jsonl.gz"))) {
    const auto vector = nlohmann::json::parse(line);
    const auto bucket = vector["bucket"].get<std::string>();
    const auto key = vector["key"].get<std::string>();
    CAPTURE(line);
    CHECK(ring::transform_key(bucket, key) == vector["tkey"].get<std::string>());
    ++seen;
  }
  CHECK(seen == 2354);
}

TEST_CASE("key transform: names of JavaScript's own properties are ordinary buckets") {
  for (const char* bucket : {"toString", "constructor", "__proto__", "hasOwnProperty"})
    CHECK(ring::transform_key(bucket, "/a/b") == "/a/b");
}
