#include "ring/leveldb_store.hpp"

#include <doctest/doctest.h>

#include "ring/topology.hpp"
#include "tests/support/test_data.hpp"
#include "tests/unit/ring/ring_support.hpp"

namespace {

using ring_support::ring_file;
using ring_support::unpack_ring;

/// What each damaged ring must be refused for: words of the message that name reason and key.
const std::map<std::string, std::vector<std::string>> kRefusals{
    {"bad-current-garbage", {"CURRENT"}},
    {"bad-duplicate-pnodes", {"key COMPLETE", "missing"}},
    {"bad-empty-pnode", {"key COMPLETE", "missing"}},
    {"bad-flipped-bytes", {"key /", "checksum"}},
    {"bad-missing-data-key", {"key /PNODE/a/0", "missing"}},
    {"bad-missing-table", {"missing files", "000009"}},
    {"bad-missing-vnode-last", {"key /VNODE/11", "missing"}},
    {"bad-missing-vnode-mid", {"key /VNODE/4", "missing"}},
    {"bad-no-complete", {"key COMPLETE", "missing"}},
    {"bad-no-current", {"does not exist"}},
    {"bad-truncated-log", {"key COMPLETE", "missing"}},
    {"bad-truncated-manifest", {"Corruption"}},
    {"bad-truncated-table", {"000009.ldb"}},
    {"bad-version-3.0.0", {"key VERSION", "3.0.0"}},
};

}  // namespace

TEST_CASE("load: every good ring answers as node-fash does") {
  const test_support::TemporaryDirectory directory;
  for (const std::string& name : ring_support::good_rings()) {
    CAPTURE(name);
    const auto loaded = ring::load_leveldb(unpack_ring(name, directory.path()));
    ring_support::check_nodes(*loaded, ring_file(name, ".nodes.jsonl"));
    CHECK(nlohmann::json::parse(ring::serialize_topology(*loaded)) ==
          nlohmann::json::parse(test_support::read_file(ring_file(name, ".json"))));
  }
}

TEST_CASE("load: every damaged ring is refused, with reason, directory and key") {
  const test_support::TemporaryDirectory directory;
  const auto names = ring_support::bad_rings();
  CHECK(names.size() == kRefusals.size());
  for (const std::string& name : names) {
    CAPTURE(name);
    const auto path = unpack_ring(name, directory.path());
    const std::string refusal = ring_support::refusal(path);
    CAPTURE(refusal);
    CHECK(refusal.find(path.string()) != std::string::npos);
    for (const std::string& words : kRefusals.at(name))
      CHECK(refusal.find(words) != std::string::npos);
  }
}

TEST_CASE("load: pnodes keep the order of /PNODE, empty ones too") {
  const test_support::TemporaryDirectory directory;
  const auto loaded = ring::load_leveldb(unpack_ring("morepnodes-3", directory.path()));
  CHECK(std::vector<std::string>(loaded->pnodes().begin(), loaded->pnodes().end()) ==
        std::vector<std::string>{"a", "b", "c", "d", "e"});
  CHECK(loaded->vnodes_of(*loaded->pnode_named("d")).empty());
}

TEST_CASE("load: data of every JSON type is kept verbatim") {
  const test_support::TemporaryDirectory directory;
  const auto loaded = ring::load_leveldb(unpack_ring("deserialized-12", directory.path()));
  CHECK(loaded->data_json(ring::Vnode{4}) == "null");
  CHECK(loaded->data_json(ring::Vnode{6}) == "{\"k\":[1]}");
  CHECK(loaded->data_json(ring::Vnode{8}) == "0");
  CHECK(loaded->data_json(ring::Vnode{10}) == "\"\"");
  CHECK(loaded->data_vnodes().size() == 6);
}

TEST_CASE("load: what a vnode's former owner left behind does not count") {
  const test_support::TemporaryDirectory directory;
  auto entries = ring_support::recorded_entries("ro-64");
  const auto wanted = nlohmann::json::parse(test_support::read_file(ring_file("ro-64", ".json")));
  const auto pnodes = nlohmann::json::parse(entries.at("/PNODE"));
  for (const auto& [pnode, vnodes] : wanted.at("pnodeToVnodeMap").items())
    for (const std::string name : pnodes)
      if (!vnodes.empty() && name != pnode)
        entries["/PNODE/" + name + "/" + vnodes.items().begin().key()] = "\"stale\"";
  ring_support::write_entries(directory.path() / "ring", entries);
  const auto loaded = ring::load_leveldb(directory.path() / "ring");
  CHECK(nlohmann::json::parse(ring::serialize_topology(*loaded)) == wanted);
}
