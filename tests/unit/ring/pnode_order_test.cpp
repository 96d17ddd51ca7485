#include "ring/pnode_order.hpp"

#include <algorithm>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "ring/topology.hpp"
#include "tests/support/test_data.hpp"

TEST_CASE("pnode order: every recorded list is sorted by UTF-16 code units") {
  const auto lists = nlohmann::json::parse(
      test_support::read_file(test_support::data_path("ring/pnode-lists.json")));
  for (const auto& [name, list] : lists.items()) {
    CAPTURE(name);
    auto given = list.at("given").get<std::vector<std::string>>();
    std::sort(given.begin(), given.end(), ring::before_in_utf16);
    CHECK(given == list.at("sorted").get<std::vector<std::string>>());
  }
}

TEST_CASE("pnode order: supplementary characters come before U+E000 to U+FFFF") {
  CHECK(ring::before_in_utf16("😀", "～"));
  CHECK(ring::before_in_utf16("😀", "\uE000"));
  CHECK(ring::before_in_utf16("\uD7FF", "😀"));
  CHECK(ring::before_in_utf16("日", "😀"));
  CHECK(ring::before_in_utf16("Z", "a"));
  CHECK(ring::before_in_utf16("a", "ab"));
  CHECK(!ring::before_in_utf16("a", "a"));
}

TEST_CASE("pnode order: /PNODE lists array indices first, by number") {
  const auto created = ring::create_ring(ring::Algorithm::sha256, 8,
                                         {"b", "10", "9", "01", "4294967295", "4294967294", "-1"});
  const std::vector<std::string> listed(created->pnodes().begin(), created->pnodes().end());
  CHECK(listed == std::vector<std::string>{"9", "10", "4294967294", "-1", "01", "4294967295", "b"});
  // Vnodes are given out in sorted order all the same.
  CHECK(created->pnode_name(created->owner(ring::Vnode{0})) == "-1");
  CHECK(created->pnode_name(created->owner(ring::Vnode{7})) == "-1");
}
