#include "ring/vnode_number.hpp"

#include <charconv>

namespace ring {

std::optional<std::uint32_t> vnode_number(std::string_view digits) {
  std::uint32_t vnode = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), vnode);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  if (digits.size() > 1 && digits.front() == '0') return std::nullopt;
  return vnode;
}

}  // namespace ring
