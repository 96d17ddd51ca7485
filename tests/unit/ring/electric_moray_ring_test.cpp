#include <cstdlib>

#include <doctest/doctest.h>

#include "ring/leveldb_store.hpp"
#include "tests/support/test_data.hpp"
#include "tests/unit/ring/ring_support.hpp"

namespace fs = std::filesystem;

namespace {

/// Where the recorded rings are that this repository does not hold.
fs::path shared() {
  const char* set = std::getenv("MORAY_ROUTER_SHARED");
  const fs::path source = test_support::data_path("").parent_path().parent_path().parent_path();
  return set != nullptr ? fs::path(set) : source / ".." / "shared";
}

}  // namespace

TEST_CASE("electric-moray's own test ring of 1,000,000 vnodes") {
  const fs::path rings = shared() / "vectors" / "ring" / "rings";
  const fs::path archive = rings / "electric-moray-test-ring.leveldb.tar.xz";
  if (!fs::exists(archive)) {
    MESSAGE("LEFT OUT: electric-moray's test ring is not ours to ship and was not found as "
            << archive.string() << "; MORAY_ROUTER_SHARED may name its place");
    return;
  }
  const test_support::TemporaryDirectory directory;
  test_support::unpack_archive(archive, directory.path());
  const auto loaded = ring::load_leveldb(directory.path() / "test-ring");
  CHECK(loaded->vnode_count() == 1'000'000);
  CHECK(loaded->bytes() < 4'000'000);
  CHECK(!loaded->any_data());
  REQUIRE(loaded->pnodes().size() == 2);
  int misplaced = 0;
  for (std::uint32_t v = 0; v < loaded->vnode_count(); ++v)
    misplaced += number(loaded->owner(static_cast<ring::Vnode>(v))) != v % 2;
  CHECK(misplaced == 0);
  ring_support::check_nodes(*loaded, rings / "electric-moray-test-ring.nodes.jsonl");
}
