#include "reshard/choose.hpp"

#include <stdexcept>

#include <doctest/doctest.h>

#include "reshard/copy.hpp"

using namespace reshard;

namespace {

const ring::VnodeSet kOwned = ring::VnodeSet::parse("0-9,20-29");

/// Ten rows a vnode, of 100 bytes each.
std::vector<VnodeLoad> even() {
  std::vector<VnodeLoad> loads;
  kOwned.each([&](ring::Vnode vnode) { loads.push_back({number(vnode), 10, 1'000}); });
  return loads;
}

ring::VnodeSet by(const Choice& choice, const std::vector<VnodeLoad>& loads = even()) {
  return chosen(choice, kOwned, loads);
}

Table table_of(double rows, bool indexed) {
  Table table;
  table.bucket = "b";
  table.rows_about = rows;
  table.indexed_by_vnode = indexed;
  return table;
}

}  // namespace

TEST_CASE("choose: half of the rows, or about so many, in few ranges") {
  CHECK(by({"", true, 0, 0}).to_text() == "0-9");
  CHECK(by({"", false, 30, 0}).to_text() == "0-2");
  CHECK(by({"", false, 34, 0}).to_text() == "0-2");
  CHECK(by({"", false, 36, 0}).to_text() == "0-3");
  CHECK(by({"", false, 1, 0}).to_text() == "0");  // one at least
  CHECK(by({"", false, 0, 5'000}).to_text() == "0-4");
  CHECK(by({"", false, 1'000'000, 0}).to_text() == "0-9,20-29");
}

TEST_CASE("choose: vnodes without rows cost nothing; half of nothing is half of the vnodes") {
  std::vector<VnodeLoad> one{{25, 100, 10'000}};
  CHECK(by({"", false, 100, 0}, one).to_text() == "0-9,20-25");
  CHECK(by({"", true, 0, 0}, {}).to_text() == "0-9");
}

TEST_CASE("choose: named vnodes, all of them the source's; in one way only") {
  CHECK(by({"3,21-22", false, 0, 0}).to_text() == "3,21-22");
  CHECK_THROWS_WITH_AS(by({"9-11", false, 0, 0}), "vnodes that the source does not own: 10-11",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(by({"", true, 5, 0}), doctest::Contains("in one way"),
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(by({}), doctest::Contains("in one way"), std::invalid_argument);
}

TEST_CASE("groups: about so many rows each; all at once without an index") {
  const auto vnodes = ring::VnodeSet::parse("0-99");
  CHECK(groups_of(vnodes, table_of(1'000'000, true), 100, 20'000).size() == 50);
  CHECK(groups_of(vnodes, table_of(0, true), 100, 20'000).size() == 1);
  CHECK(groups_of(vnodes, table_of(100'000'000, true), 100, 20'000).size() == 100);  // a vnode each
  CHECK(groups_of(vnodes, table_of(1'000'000, false), 100, 20'000).size() == 1);
  CHECK(groups_of(ring::VnodeSet::parse("0-99999"), table_of(0, true), 100'000, 20'000).size() ==
        20);  // no list is too long
  std::uint64_t next = 0;
  for (const auto& group : groups_of(vnodes, table_of(1'000'000, true), 100, 20'000))
    for (const std::uint64_t vnode : group) CHECK(vnode == next++);
}
