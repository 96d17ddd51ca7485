#include <doctest/doctest.h>

#include <fstream>

#include "ring/generation_store.hpp"
#include "ring/leveldb_store.hpp"
#include "ring/ring_edit.hpp"
#include "ring/topology.hpp"
#include "ring_tool/stored_ring.hpp"
#include "tests/support/test_data.hpp"

using namespace ring;
namespace fs = std::filesystem;

namespace {

struct Store {
  Store()
      : ring(create_ring(Algorithm::sha256, 64, {"a", "b", "c"})),
        store(directory.path() / "rings") {
    store.activate(store.stage_ring(*ring).generation);
  }

  /// Gives one vnode to a pnode, on disk.
  LoadedGeneration stage(std::uint32_t vnode, const std::string& pnode) {
    return store.stage_edit({[&](const fs::path& staging) {
      ring_tool::StoredRing stored(staging.string(), ring_tool::StoredRing::Access::edit);
      stored.remap(vnode, pnode);
      stored.commit();
    }});
  }

  test_support::TemporaryDirectory directory;
  std::shared_ptr<const Ring> ring;
  GenerationStore store;
};

}  // namespace

TEST_CASE("generations: the first ring is generation 1, and current") {
  Store at;
  CHECK(GenerationStore::is_store(at.directory.path() / "rings"));
  const Generation current = at.store.current();
  CHECK(current.number == 1);
  CHECK(current.digest == at.ring->digest());
  CHECK(at.store.load(current).ring->digest() == at.ring->digest());
  CHECK(GenerationStore::is_generation(current.directory));
  CHECK_FALSE(GenerationStore::is_generation(at.directory.path()));
}

TEST_CASE(
    "generations: a staged edit is not in force until it is activated, and can be rolled back") {
  Store at;
  const auto owner = at.ring->pnode_name(at.ring->owner(Vnode{5}));
  const std::string other = owner == "a" ? "b" : "a";
  const LoadedGeneration staged = at.stage(5, other);
  CHECK(staged.generation.number == 2);
  CHECK(staged.ring->digest() == remapped(*at.ring, VnodeSet::of({5}), other)->digest());
  CHECK(at.store.current().number == 1);
  at.store.activate(staged.generation);
  CHECK(at.store.current().number == 2);
  CHECK(at.store.load(*at.store.find(1)).ring->digest() ==
        at.ring->digest());  // the links did it no harm
  at.store.activate(*at.store.find(1));
  CHECK(at.store.current().digest == at.ring->digest());
  CHECK(at.stage(5, other).generation.number == 2);  // the same ring again: taken, not made twice
}

TEST_CASE("generations: each knows the one that was in force before it, first") {
  Store at;
  CHECK_FALSE(at.store.before(at.store.current()));
  const auto owner = [&](std::uint32_t vnode) {
    const auto now = at.store.load(at.store.current()).ring;
    return now->pnode_name(now->owner(static_cast<Vnode>(vnode)));
  };
  const auto change = [&](std::uint32_t vnode) {
    at.store.activate(at.stage(vnode, owner(vnode) == "a" ? "b" : "a").generation);
    return at.store.current();
  };
  const Generation second = change(1), third = change(2);
  CHECK(at.store.before(third) == second.number);
  at.store.activate(second);
  const Generation fourth = change(3);
  CHECK(fourth.number == 4);
  CHECK(at.store.before(fourth) == second.number);  // not the third, which was rolled back from
  at.store.activate(third);
  CHECK(at.store.before(third) == second.number);
  // Of an older program's, the highest number below.
  fs::remove(at.directory.path() / "rings" / "history");
  CHECK(at.store.before(fourth) == 3);
}

TEST_CASE("generations: twenty are kept, and what is pending") {
  Store at;
  const LoadedGeneration waiting =
      at.stage(0, at.ring->pnode_name(at.ring->owner(Vnode{0})) == "a" ? "b" : "a");
  at.store.set_pending("{\"digest\":\"" + waiting.generation.digest + "\"}");
  for (int i = 0; i < 25; ++i) {
    const auto current = at.store.load(at.store.current()).ring;
    const bool at_a = current->pnode_name(current->owner(Vnode{7})) == "a";
    const auto vnode = static_cast<std::uint32_t>(8 + i);
    const auto owner = current->pnode_name(current->owner(static_cast<Vnode>(vnode)));
    at.store.activate(
        (i % 2 == 0 ? at.stage(7, at_a ? "b" : "a") : at.stage(vnode, owner == "c" ? "a" : "c"))
            .generation);
    at.store.forget_old();
  }
  const auto all = at.store.list();
  CHECK(all.size() == GenerationStore::kKeep + 1);
  CHECK(all.front().number == waiting.generation.number);
  CHECK(all.back().current);
  CHECK(at.store.pending().find(waiting.generation.digest) != std::string::npos);
  at.store.set_pending("");
  CHECK(at.store.pending().empty());
  CHECK_THROWS_AS(at.store.drop(at.store.current()), RingError);
  at.store.drop(*at.store.find(waiting.generation.number));
  CHECK_FALSE(at.store.find(waiting.generation.number));
}

TEST_CASE("generations: one that was edited afterwards is refused by its digest") {
  Store at;
  {
    ring_tool::StoredRing stored(at.store.current().directory.string(),
                                 ring_tool::StoredRing::Access::edit);
    stored.add_data(3, "\"ro\"");
    stored.commit();
  }
  CHECK_THROWS_WITH_AS(static_cast<void>(at.store.load(at.store.current())),
                       doctest::Contains("changed after it was stored"), RingError);
}

TEST_CASE(
    "generations: what a dead process left is cleared away, and a failed edit leaves nothing") {
  Store at;
  const fs::path left = at.directory.path() / "rings" / ".staging-12345";
  fs::create_directory(left);
  std::ofstream(left / "junk") << "junk";
  CHECK_THROWS(static_cast<void>(
      at.store.stage_edit({[](const fs::path&) { throw std::runtime_error("no"); }})));
  CHECK_FALSE(fs::exists(left));
  CHECK(at.stage(1, at.ring->pnode_name(at.ring->owner(Vnode{1})) == "a" ? "b" : "a")
            .generation.number == 2);
  for (const auto& entry : fs::directory_iterator(at.directory.path() / "rings"))
    CHECK_FALSE(entry.path().filename().string().starts_with(".staging"));
}

TEST_CASE("generations: others may give the numbers, and what is left of an older numbering goes") {
  Store at;
  const auto given = [&](std::uint32_t vnode) {
    const bool is_c = at.ring->pnode_name(at.ring->owner(Vnode{vnode})) == "c";
    return remapped(*at.ring, VnodeSet::of({vnode}), is_c ? "a" : "c");
  };
  const auto other = given(5);
  const LoadedGeneration staged = at.store.stage_ring(*other, 17);
  CHECK(staged.generation.number == 17);
  CHECK(at.store.stage_ring(*other, 17).generation.directory == staged.generation.directory);
  CHECK(at.store.find(17, other->digest()).has_value());
  CHECK_FALSE(at.store.find(17, at.ring->digest()).has_value());
  at.store.activate(staged.generation);
  CHECK(at.store.before(staged.generation) == 1);

  // The same ring under another number, and another ring under the same one.
  const LoadedGeneration renamed = at.store.stage_ring(*other, 18);
  CHECK(renamed.generation.number == 18);
  const auto third = given(6);
  static_cast<void>(at.store.stage_ring(*third, 18));
  static_cast<void>(at.store.stage_ring(*third, 40));
  at.store.activate(renamed.generation);
  at.store.forget_not_below_current();
  std::vector<std::uint64_t> numbers;
  for (const Generation& each : at.store.list()) numbers.push_back(each.number);
  CHECK(numbers == std::vector<std::uint64_t>{1, 17, 18});
  CHECK(at.store.current().digest == other->digest());
}

TEST_CASE("generations: of those that are one ring, the newest is found by its digest") {
  Store at;
  CHECK_FALSE(at.store.newest("aa"));
  at.store.activate(at.store.stage_ring(*at.ring, 7).generation);
  const auto found = at.store.newest(at.ring->digest());
  REQUIRE(found);
  CHECK(found->number == 7);
  CHECK(found->current);
}
