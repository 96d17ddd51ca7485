// What resharding puts into databases agrees with what the router does: a row's vnode, above all.
#include <doctest/doctest.h>

#include <random>

#include "backends/postgres/wire/session.hpp"
#include "reshard/schema.hpp"
#include "ring/key_transform.hpp"
#include "ring/topology.hpp"
#include "tests/contract/postgres_client.hpp"

using backends::postgres::Session;
using test_support::FreshDatabase;

namespace {

/// Keys with everything that a path may have, and what is no path.
std::vector<std::string> keys() {
  std::vector<std::string> all{"",
                               "/",
                               "//",
                               "///",
                               "a",
                               "a/",
                               "/a",
                               "/a/",
                               "//a",
                               "//a/b",
                               "/a//b",
                               "/a/b//",
                               "a/b",
                               "a//b",
                               ".",
                               "./a",
                               "..",
                               "a:b",
                               ":",
                               "a:/b/c",
                               "x:/y/z/",
                               "/é/ü/😀",
                               "/a\nb/c",
                               "/a'b\"\\c/d",
                               " / ",
                               "/11111111-2222-3333-4444-555555555555/stor",
                               "/11111111-2222-3333-4444-555555555555/stor/",
                               "/11111111-2222-3333-4444-555555555555/stor/a/b",
                               "/11111111-2222-3333-4444-555555555555/stor\n",
                               "/11111111-2222-3333-4444-55555555555X/stor",
                               "u:/11111111-2222-3333-4444-555555555555/stor",
                               "u:/11111111-2222-3333-4444-555555555555/uploads/0/x"};
  std::mt19937 random(7);
  static constexpr std::string_view kLetters = "//ab:.\n";
  for (int i = 0; i < 2'000; ++i) {
    std::string key;
    for (unsigned length = random() % 9; length > 0; --length)
      key += kLetters[random() % kLetters.size()];
    all.push_back(std::move(key));
  }
  return all;
}

void compare(ring::Algorithm algorithm, std::uint32_t vnodes) {
  const FreshDatabase database;
  Session session(database.url(), "test");
  const std::vector<std::string> pnodes{"tcp://1"};
  const auto ring = ring::create_ring(algorithm, vnodes, pnodes);
  session.run_all(reshard::schema_sql(*ring));
  session.run_all(reshard::schema_sql(*ring));  // twice is well
  for (const char* bucket : {"manta", "manta_uploads", "other"})
    for (const std::string& key : keys()) {
      const auto rows = session.run("SELECT moray_router.vnode_of($1, $2)", {bucket, key});
      const auto location = ring->locate(ring::transform_key(bucket, key));
      REQUIRE(location.has_value());
      CAPTURE(bucket);
      CAPTURE(key);
      REQUIRE(rows.text(0, 0) == std::to_string(number(location->vnode)));
    }
}

}  // namespace

TEST_CASE("a row's vnode is the same in SQL as in the router") {
  compare(ring::Algorithm::sha256, 1'000'000);
  compare(ring::Algorithm::md5, 97);
}

TEST_CASE("a ring that hashes by what PostgreSQL does not have is refused") {
  const std::vector<std::string> pnodes{"tcp://1"};
  CHECK_THROWS_WITH_AS(reshard::schema_sql(*ring::create_ring(ring::Algorithm::sha1, 10, pnodes)),
                       doctest::Contains("sha1"), std::invalid_argument);
}
