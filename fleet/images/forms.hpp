#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "ring/vnode_set.hpp"

// What the images of rings, of vnodes and of edits have in common: a line of JSON, whose `form`
// says which it is, and then bytes; packed together.
namespace fleet {

/// Each vnode may have data of its own: all of them together.
inline constexpr std::size_t kHeadBytesMost = 32U << 20;
/// Names of pnodes are hosts'.
inline constexpr std::size_t kNameBytesMost = 1024;

struct Opened {
  nlohmann::json head;
  std::string body;
};
/// Throws std::invalid_argument: damaged, of another form, or larger than both bounds together.
/// O(bytes).
Opened opened(std::string_view packed_bytes, std::string_view form, std::size_t head_most,
              std::size_t body_most);

/// A bit for each vnode, the lowest of the first byte first. O(vnodes).
std::string bits_of(const ring::VnodeSet& set, std::uint32_t vnodes);
/// Throws std::invalid_argument: they are of another number of vnodes. O(vnodes).
ring::VnodeSet set_of_bits(std::string_view bits, std::uint32_t vnodes);

}  // namespace fleet
