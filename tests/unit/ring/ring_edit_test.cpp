#include <doctest/doctest.h>

#include <stdexcept>

#include "ring/ring_edit.hpp"
#include "ring/topology.hpp"

using namespace ring;

namespace {

std::shared_ptr<const Ring> small_ring() {
  return create_ring(Algorithm::sha256, 12, {"a", "b", "c"});
}

}  // namespace

TEST_CASE("ring edit: remapped and back is the same ring") {
  const auto ring = small_ring();
  const VnodeSet vnodes = VnodeSet::of({0, 3, 6});  // all of a's but one
  const std::string owner = ring->pnode_name(ring->owner(Vnode{0}));
  const auto moved = remapped(*ring, not_owned_by(*ring, vnodes, "c"), "c");
  vnodes.each([&](Vnode vnode) { CHECK(moved->pnode_name(moved->owner(vnode)) == "c"); });
  CHECK(moved->digest() != ring->digest());
  const Difference found = difference(*ring, *moved);
  REQUIRE(found.moves.size() >= 1);
  std::shared_ptr<const Ring> back = moved;
  for (const auto& move : found.moves) {
    CHECK(move.to == "c");
    back = remapped(*back, move.vnodes, move.from);
  }
  CHECK(back->digest() == ring->digest());
  CHECK(difference(*ring, *back).moves.empty());
  CHECK(not_owned_by(*moved, vnodes, "c").empty());
}

TEST_CASE("ring edit: a new pnode comes last; what collides or is not there is refused") {
  const auto ring = small_ring();
  const auto grown = remapped(*ring, VnodeSet::of({1}), "d");
  CHECK(grown->pnodes().back() == "d");
  CHECK_THROWS_WITH_AS(remapped(*ring, VnodeSet::of({1}), "a/1"), doctest::Contains("a/1"),
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(remapped(*ring, VnodeSet::parse("3,12"), "a"), doctest::Contains("vnode 12"),
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(with_data(*ring, VnodeSet::parse("0-99"), "\"ro\""),
                       doctest::Contains("vnode 99"), std::invalid_argument);
  CHECK_THROWS_AS(with_data(*ring, VnodeSet::of({1}), "ro"), std::invalid_argument);
  CHECK_THROWS_AS(
      static_cast<void>(difference(*ring, *create_ring(Algorithm::sha256, 13, {"a", "b", "c"}))),
      std::invalid_argument);
}

TEST_CASE("ring edit: data set and reset") {
  const auto ring = small_ring();
  const auto marked = with_data(*ring, VnodeSet::parse("2-4"), "\"ro\"");
  CHECK(marked->read_only(Vnode{3}));
  CHECK_FALSE(marked->read_only(Vnode{5}));
  CHECK(with_other_data(*marked, VnodeSet::parse("0-5"), "\"ro\"") == VnodeSet::of({0, 1, 5}));
  const Difference found = difference(*ring, *marked);
  REQUIRE(found.data.size() == 1);
  CHECK(found.data[0].vnodes.to_text() == "2-4");
  CHECK(found.data[0].to == "\"ro\"");
  CHECK(with_data(*marked, VnodeSet::parse("2-4"), "1")->digest() == ring->digest());
}
