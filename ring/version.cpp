#include "ring/version.hpp"

#include <array>
#include <charconv>

namespace ring {

bool acceptable_version(std::string_view version) {
  constexpr std::array<unsigned, 3> kNewest{2, 1, 0};
  std::array<unsigned, 3> parts{};
  for (std::size_t i = 0;; ++i) {
    if (i == parts.size()) return false;
    const std::size_t dot = version.find('.');
    const std::string_view part = version.substr(0, dot);
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), parts[i]);
    if (error != std::errc{} || end != part.data() + part.size()) return false;
    if (dot == std::string_view::npos) break;
    version.remove_prefix(dot + 1);
  }
  return parts <= kNewest;
}

}  // namespace ring
