#include <doctest/doctest.h>

#include <random>
#include <set>
#include <stdexcept>

#include "ring/vnode_set.hpp"

using ring::Vnode;
using ring::VnodeSet;

namespace {

std::set<std::uint32_t> members(const VnodeSet& set) {
  std::set<std::uint32_t> all;
  set.each([&](Vnode vnode) { all.insert(ring::number(vnode)); });
  return all;
}

VnodeSet random_set(std::mt19937& random) {
  std::vector<std::uint32_t> vnodes(random() % 40);
  for (auto& vnode : vnodes) vnode = static_cast<std::uint32_t>(random() % 64);
  return VnodeSet::of(vnodes);
}

}  // namespace

TEST_CASE("vnode set: what people write") {
  CHECK(VnodeSet::parse("0-49999,105").to_text() == "0-49999");
  CHECK(VnodeSet::parse(" 7, 5 6\n\t9-9,").to_text() == "5-7,9");
  CHECK(VnodeSet::parse("").empty());
  CHECK(VnodeSet::parse("4294967294-4294967295").size() == 2);
  CHECK(VnodeSet::parse("10-20,30").size() == 12);
}

TEST_CASE("vnode set: what is no vnode is named") {
  for (const char* wrong : {"a", "1-", "-1", "1-2-3", "5-4", "4294967296", "1.5", "+1", "0x1"}) {
    CAPTURE(wrong);
    CHECK_THROWS_WITH_AS(VnodeSet::parse(std::string("3,") + wrong), doctest::Contains(wrong),
                         std::invalid_argument);
  }
}

TEST_CASE("vnode set: as a set of numbers, for random ones") {
  std::mt19937 random(7);
  for (int i = 0; i < 2000; ++i) {
    const VnodeSet a = random_set(random), b = random_set(random);
    const auto in_a = members(a), in_b = members(b);
    std::set<std::uint32_t> both = in_a, only_a, common;
    both.insert(in_b.begin(), in_b.end());
    for (const std::uint32_t vnode : in_a) (in_b.contains(vnode) ? common : only_a).insert(vnode);
    REQUIRE(members(a.united(b)) == both);
    REQUIRE(members(a.without(b)) == only_a);
    REQUIRE(members(a.common(b)) == common);
    REQUIRE(a.size() == in_a.size());
    REQUIRE(VnodeSet::parse(a.to_text()) == a);
    for (std::uint32_t vnode = 0; vnode < 64; ++vnode)
      REQUIRE(a.contains(static_cast<Vnode>(vnode)) == in_a.contains(vnode));
  }
}
