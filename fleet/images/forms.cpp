#include "fleet/images/forms.hpp"

#include <stdexcept>
#include <utility>
#include <vector>

#include "fleet/images/packed.hpp"
#include "json/nesting.hpp"

namespace fleet {

Opened opened(std::string_view packed_bytes, std::string_view form, std::size_t head_most,
              std::size_t body_most) {
  std::string bytes = unpacked(packed_bytes, head_most + body_most);
  const std::size_t line = bytes.find('\n');
  if (line == std::string::npos || line > head_most)
    throw std::invalid_argument("an image has no head");
  Opened opened{json::parse_bounded<nlohmann::json>(std::string_view(bytes).substr(0, line)), {}};
  if (!opened.head.is_object() || opened.head.value("form", "") != form)
    throw std::invalid_argument("an image is not in form " + std::string(form));
  bytes.erase(0, line + 1);
  opened.body = std::move(bytes);
  return opened;
}

std::string bits_of(const ring::VnodeSet& set, std::uint32_t vnodes) {
  std::string bits((static_cast<std::size_t>(vnodes) + 7) / 8, '\0');
  set.each([&](ring::Vnode vnode) {
    const std::uint32_t at = ring::number(vnode);
    if (at < vnodes) bits[at / 8] = static_cast<char>(bits[at / 8] | 1 << at % 8);
  });
  return bits;
}

ring::VnodeSet set_of_bits(std::string_view bits, std::uint32_t vnodes) {
  if (bits.size() != (static_cast<std::size_t>(vnodes) + 7) / 8)
    throw std::invalid_argument("an image is of vnodes of another ring");
  std::vector<ring::VnodeSet::Range> ranges;
  for (std::uint32_t vnode = 0; vnode < vnodes; ++vnode) {
    if ((static_cast<unsigned char>(bits[vnode / 8]) >> vnode % 8 & 1) == 0) continue;
    if (!ranges.empty() && ranges.back().last + 1 == vnode)
      ranges.back().last = vnode;
    else
      ranges.push_back({vnode, vnode});
  }
  return ring::VnodeSet::of_ranges(std::move(ranges));
}

}  // namespace fleet
