#include "ring/pnode_order.hpp"

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_set>

namespace ring {
namespace {

/// UTF-16 sorts supplementary characters (4 bytes, F0 and up) before U+E000 to U+FFFF (EE, EF).
unsigned rank(unsigned char byte) {
  if (byte >= 0xf0) return byte - 2u;
  if (byte >= 0xee) return byte + 16u;
  return byte;
}

std::optional<std::uint32_t> array_index(const std::string& name) {
  std::uint32_t index = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), index);
  if (error != std::errc{} || end != name.data() + name.size() || index == 0xffffffff)
    return std::nullopt;
  if (name.size() > 1 && name.front() == '0') return std::nullopt;
  return index;
}

}  // namespace

bool before_in_utf16(const std::string& a, const std::string& b) {
  const std::size_t common = std::min(a.size(), b.size());
  for (std::size_t i = 0; i < common; ++i)
    if (a[i] != b[i])
      return rank(static_cast<unsigned char>(a[i])) < rank(static_cast<unsigned char>(b[i]));
  return a.size() < b.size();
}

bool before_in_javascript(const std::string& a, const std::string& b) {
  const auto first = array_index(a);
  const auto second = array_index(b);
  if (first && second) return *first < *second;
  return first.has_value() && !second.has_value();
}

std::optional<std::string> key_collision(std::span<const std::string> pnodes) {
  const std::unordered_set<std::string_view> names(pnodes.begin(), pnodes.end());
  for (const std::string& name : pnodes) {
    const std::size_t slash = name.rfind('/');
    if (slash == std::string::npos || slash + 1 == name.size()) continue;
    if (name.find_first_not_of("0123456789", slash + 1) != std::string::npos) continue;
    const std::string_view other = std::string_view(name).substr(0, slash);
    if (names.contains(other))
      return "pnode \"" + name + "\" collides with the vnodes of pnode \"" + std::string(other) +
             "\"";
  }
  return std::nullopt;
}

}  // namespace ring
