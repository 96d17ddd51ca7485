#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

/// Strict UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF. Pure.
namespace fast::utf8 {

struct Character {
  std::uint32_t code_point = 0;
  std::size_t bytes = 0;  ///< 0: the text does not begin with a valid character
};

/// The first character of a text that is not empty. O(1).
Character decode(std::string_view text);

/// How many bytes at the beginning of the text are ASCII. O(result).
std::size_t ascii_prefix(std::string_view text);

}  // namespace fast::utf8
