#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

/// Strict UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF. Pure; any thread.
namespace fast::utf8 {

struct Character {
  std::uint32_t code_point = 0;
  std::size_t bytes = 0;  ///< 0: the text does not begin with a valid character
};

/// The first character of a text that is not empty. O(1).
Character decode(std::string_view text);

/// How many bytes at the beginning of the text are ASCII. O(result).
std::size_t ascii_prefix(std::string_view text);

struct Narrowed {
  std::size_t bytes_read = 0;     ///< of the text; ends at a character's boundary
  std::size_t bytes_written = 0;  ///< to the buffer, one for each UTF-16 unit
};

/// Room that `narrow` needs at least: it works in steps of this many bytes.
inline constexpr std::size_t kNarrowBytesMin = 16;

/// Writes the low 8 bits of each UTF-16 unit of the text's beginning, as much as `out` has room
/// for: with kNarrowBytesMin or more, at least one character. nullopt: not UTF-8. O(bytes read).
std::optional<Narrowed> narrow(std::string_view text, std::span<char> out);

}  // namespace fast::utf8
