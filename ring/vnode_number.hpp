#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace ring {

/// More vnodes than any ring has; keeps a damaged count from filling the memory.
inline constexpr std::uint32_t kVnodesMax = 100'000'000;

/// A vnode as keys name it: decimal, no sign, no leading zeros. nullopt: anything else.
std::optional<std::uint32_t> vnode_number(std::string_view digits);

}  // namespace ring
