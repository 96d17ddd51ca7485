#pragma once

#include <cstddef>
#include <string_view>

namespace json {

/// Deeper than this nobody's configuration, command or data is; libraries that copy and write
/// values by recursion have room for far more.
inline constexpr std::size_t kNestingMost = 512;

/// Whether arrays and objects lie in each other deeper than that. The text need not be JSON. O(n).
bool nested_too_deep(std::string_view text);

/// As `Json::parse` of nlohmann's, without exceptions: discarded where the text is no JSON, or is
/// nested too deep.
template <typename Json>
Json parse_bounded(std::string_view text) {
  if (nested_too_deep(text)) return Json(Json::value_t::discarded);
  return Json::parse(text, nullptr, false);
}

}  // namespace json
