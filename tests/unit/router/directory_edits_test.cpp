// Edits of rings on disk: as another process does them, and as this one does.
#include "router/control/directory_edits.hpp"

#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "ring/generation_store.hpp"
#include "ring/image.hpp"
#include "ring/leveldb_store.hpp"
#include "ring/topology.hpp"
#include "tests/support/test_data.hpp"

using namespace router;

namespace {

namespace fs = std::filesystem;

/// Does what the router's own child does, in this process; and counts.
struct Elsewhere {
  ring::Load load() {
    ring::Load load;
    load.read = [this](const fs::path& directory) {
      ++reads;
      return ring::load_leveldb(directory);
    };
    load.edit = [this](const fs::path& directory, const std::string& text) {
      ++edits;
      edit_directory(directory.string(), text);
      if (dies) throw ring::RingError("killed");
      return ring::from_image(ring::to_image(*ring::load_leveldb(directory)));
    };
    return load;
  }
  int reads = 0, edits = 0;
  bool dies = false;  ///< after an edit
};

struct Scene {
  explicit Scene(const ring::Ring& ring)
      : here(directory.path() / "here"), there(directory.path() / "there", elsewhere.load()) {
    for (auto* store : {&here, &there}) store->activate(store->stage_ring(ring).generation);
  }

  test_support::TemporaryDirectory directory;
  Elsewhere elsewhere;
  ring::GenerationStore here, there;
};

/// Of vnodes that it truly changes.
RingEdit random_edit(std::mt19937& random, const ring::Ring& now) {
  const auto some = [&] {
    std::vector<std::uint32_t> all;
    for (std::uint32_t vnode = 0; vnode < now.vnode_count(); ++vnode)
      if (random() % 8 == 0) all.push_back(vnode);
    return ring::VnodeSet::of(std::move(all));
  };
  RingEdit edit;
  edit.pnode = random() % 4 == 0 ? "new \"\xc3\xa9\" " + std::to_string(random() % 3) : "b";
  edit.data_json = random() % 2 == 0 ? "\"ro\"" : R"({"a":[1,"\n\u0000"]})";
  if (random() % 3 != 0) edit.moved = ring::not_owned_by(now, some(), edit.pnode);
  if (random() % 3 != 0) edit.marked = ring::with_other_data(now, some(), edit.data_json);
  return edit;
}

}  // namespace

TEST_CASE("directory edits: another process makes the ring that this one makes") {
  std::mt19937 random(11);
  const auto first = ring::create_ring(ring::Algorithm::sha256, 60, {"a", "b", "c"});
  Scene at(*first);
  for (int i = 0; i < 30; ++i) {
    const RingEdit edit = random_edit(random, *at.here.load(at.here.current()).ring);
    const auto here = at.here.stage_edit(directory_edit(edit));
    const auto there = at.there.stage_edit(directory_edit(edit));
    CHECK(here.ring->digest() == there.ring->digest());
    CHECK(here.generation.number == there.generation.number);
    CHECK(ring::load_leveldb(there.generation.directory)->digest() == here.ring->digest());
    at.here.activate(here.generation);
    at.there.activate(there.generation);
  }
  CHECK(at.elsewhere.edits == 30);
  CHECK(at.elsewhere.reads == 0);

  const auto last = at.there.load(at.there.current()).ring;
  const auto back = directory_edit(ring::difference(*last, *first));
  CHECK(at.there.rehearse_edit(back) == at.here.rehearse_edit(back));
}

TEST_CASE("directory edits: what can't be done leaves nothing, and says why") {
  Scene at(*ring::create_ring(ring::Algorithm::sha256, 20, {"a", "b"}));
  RingEdit edit;
  edit.moved = ring::VnodeSet::parse("20");
  edit.pnode = "b";
  CHECK_THROWS_WITH_AS(static_cast<void>(at.there.stage_edit(directory_edit(edit))),
                       doctest::Contains(("ring " + at.directory.path().string()).c_str()),
                       ring::RingError);
  edit.moved = ring::not_owned_by(*at.there.load(at.there.current()).ring,
                                  ring::VnodeSet::parse("0-19"), "b");
  at.elsewhere.dies = true;
  CHECK_THROWS_WITH_AS(static_cast<void>(at.there.stage_edit(directory_edit(edit))), "killed",
                       ring::RingError);
  CHECK(at.elsewhere.edits == 2);
  CHECK(at.there.list().size() == 1);
  for (const auto& entry : fs::directory_iterator(at.directory.path() / "there"))
    CHECK_FALSE(entry.path().filename().string().starts_with(".staging"));

  const std::string directory = at.there.current().directory.string();
  for (const char* text :
       {"", "{}", "[]", R"({"pnodes":[["b"]],"data":[]})", R"({"pnodes":[["b","x"]],"data":[]})",
        R"({"pnodes":[["b",3]],"data":[]})"})
    CHECK_THROWS_WITH_AS(edit_directory(directory, text),
                         doctest::Contains("the edit can't be read"), ring::RingError);
  static_cast<void>(at.there.load(at.there.current()));
}
