#include "ring/vnode_data.hpp"

#include <doctest/doctest.h>

using Entries = std::vector<std::pair<std::uint32_t, std::string>>;

namespace {

/// Checks every vnode of a ring against the entries it was made of.
void check_all(const ring::VnodeData& data, const Entries& entries, std::uint32_t vnode_count) {
  std::size_t next = 0;
  std::vector<std::uint32_t> vnodes;
  for (std::uint32_t vnode = 0; vnode < vnode_count; ++vnode) {
    const std::string* found = data.find(vnode);
    const bool wanted = next < entries.size() && entries[next].first == vnode;
    REQUIRE((found != nullptr) == wanted);
    if (!wanted) continue;
    CHECK(*found == entries[next++].second);
    vnodes.push_back(vnode);
  }
  CHECK(data.vnodes() == vnodes);
  CHECK(data.empty() == entries.empty());
}

Entries every(std::uint32_t step, std::uint32_t vnode_count, std::uint32_t kinds) {
  Entries entries;
  for (std::uint32_t vnode = 0; vnode < vnode_count; vnode += step)
    entries.emplace_back(vnode, std::to_string(vnode % kinds));
  return entries;
}

}  // namespace

TEST_CASE("vnode data: none, little, much, and more kinds than a byte counts") {
  for (const std::uint32_t step : {1u, 3u, 7u, 8u, 9u, 500u})
    for (const std::uint32_t kinds : {1u, 2u, 255u, 256u, 1000u}) {
      CAPTURE(step);
      CAPTURE(kinds);
      const Entries entries = every(step, 1000, kinds);
      check_all(ring::VnodeData(entries, 1000), entries, 1000);
    }
  check_all(ring::VnodeData({}, 1000), {}, 1000);
  check_all(ring::VnodeData(), {}, 1000);
}

TEST_CASE("vnode data: never more than a byte a vnode where the kinds are few") {
  for (const std::uint32_t step : {1u, 2u, 8u, 9u, 100u})
    CHECK(ring::VnodeData(every(step, 100'000, 3), 100'000).bytes() < 100'300);
}
