#include <doctest/doctest.h>

#include "ring/leveldb_store.hpp"
#include "ring/topology.hpp"
#include "tests/support/test_data.hpp"
#include "tests/unit/ring/ring_support.hpp"

namespace fs = std::filesystem;

namespace {

/// Rings that `fash create` wrote and nothing edited since.
const std::vector<std::string> kCreated{"plain-100", "morepnodes-3"};

/// node-fash stores zero bytes for the list of a pnode that never had a vnode; we store `[]`.
void repair_lists(std::map<std::string, std::string>& entries) {
  for (auto& [key, value] : entries)
    if (key.starts_with("/PNODE/") && value.empty()) value = "[]";
}

std::shared_ptr<const ring::Ring> created_anew(const std::map<std::string, std::string>& entries) {
  const auto count = nlohmann::json::parse(entries.at("VNODE_COUNT")).get<std::uint32_t>();
  auto pnodes = nlohmann::json::parse(entries.at("/PNODE")).get<std::vector<std::string>>();
  std::reverse(pnodes.begin(), pnodes.end());  // the order given does not matter
  const auto algorithm = nlohmann::json::parse(entries.at("ALGORITHM"));
  return ring::create_ring(*ring::algorithm_named(algorithm.at("NAME").get<std::string>()), count,
                           pnodes);
}

}  // namespace

TEST_CASE("create: the same keys and values as node-fash's create") {
  const test_support::TemporaryDirectory directory;
  for (const std::string& name : kCreated) {
    CAPTURE(name);
    auto wanted = ring_support::recorded_entries(name);
    ring::create_leveldb(directory.path() / name, *created_anew(wanted));
    repair_lists(wanted);
    CHECK(ring_support::entries(directory.path() / name) == wanted);
  }
}

TEST_CASE("create: an edited ring written anew keeps every value, lists now sorted") {
  const test_support::TemporaryDirectory directory;
  for (const std::string& name : ring_support::good_rings()) {
    if (!fs::exists(ring_support::ring_file(name, ".dump.jsonl"))) continue;
    CAPTURE(name);
    const auto loaded = ring::load_leveldb(ring_support::unpack_ring(name, directory.path()));
    ring::create_leveldb(directory.path() / (name + "-copy"), *loaded);
    auto written = ring_support::entries(directory.path() / (name + "-copy"));
    const auto wanted = ring_support::recorded_entries(name);
    CHECK(written.at("VERSION") == "\"2.1.0\"");
    CHECK(written.at("COMPLETE") == "1");
    for (const auto& [key, value] : wanted) {
      CAPTURE(key);
      const bool list = key == "VNODE_DATA" || (key.starts_with("/PNODE/") && value.front() == '[');
      if (list || key == "VERSION" || value.empty()) continue;
      CHECK(written.at(key) == value);
    }
    CHECK(ring::load_leveldb(directory.path() / (name + "-copy"))->digest() == loaded->digest());
  }
}

TEST_CASE("create: pnode names and data that need escapes are written as node-fash writes them") {
  const test_support::TemporaryDirectory directory;
  const auto wanted = ring_support::recorded_entries("names-16");
  const auto loaded = ring::load_leveldb(ring_support::unpack_ring("names-16", directory.path()));
  ring::create_leveldb(directory.path() / "copy", *loaded);
  CHECK(ring_support::entries(directory.path() / "copy") == wanted);
}

TEST_CASE("create: more vnodes than one batch") {
  const test_support::TemporaryDirectory directory;
  for (const std::uint32_t count : {999u, 1000u, 1001u, 25'000u}) {
    CAPTURE(count);
    const auto made = ring::create_ring(ring::Algorithm::sha1, count, {"tcp://a:1", "tcp://b:1"});
    const fs::path path = directory.path() / std::to_string(count);
    ring::create_leveldb(path, *made);
    CHECK(ring::load_leveldb(path)->digest() == made->digest());
    CHECK(ring_support::entries(path).size() == 2 * count + 2 + 6);
  }
}

TEST_CASE("create: never over something that exists, nor where no directory can be") {
  const test_support::TemporaryDirectory directory;
  const auto made = ring::create_ring(ring::Algorithm::md5, 3, {"a"});
  const fs::path path = directory.path() / "ring";
  ring::create_leveldb(path, *made);
  const auto before = ring_support::fingerprint(directory.path());
  CHECK_THROWS_WITH_AS(ring::create_leveldb(path, *made), doctest::Contains(path.c_str()),
                       ring::RingError);
  CHECK(ring_support::fingerprint(directory.path()) == before);
  fs::create_directory(directory.path() / "other");
  CHECK_THROWS_AS(ring::create_leveldb(directory.path() / "other", *made), ring::RingError);
  CHECK(fs::is_empty(directory.path() / "other"));
  CHECK_THROWS_AS(ring::create_leveldb(directory.path() / "no" / "parent", *made), ring::RingError);
}

TEST_CASE("create: pnodes whose keys would be the same are refused before anything is written") {
  const test_support::TemporaryDirectory directory;
  const auto made = ring::create_ring(ring::Algorithm::sha256, 4, {"a", "a/1"});
  CHECK_THROWS_WITH_AS(ring::create_leveldb(directory.path() / "ring", *made),
                       doctest::Contains("collides"), ring::RingError);
  CHECK(fs::is_empty(directory.path()));
}
