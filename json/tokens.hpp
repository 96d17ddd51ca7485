#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace json {

/// Longer texts are refused: an end and a flag share 32 bits.
inline constexpr std::size_t kTextBytesMax = 0x7fffffff;

inline constexpr bool is_white_space(char byte) {
  return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

/// A text's tokens: one for each bracket, colon, comma, string, number and literal, in order.
/// A view; the Document owns what it points to.
struct Tokens {
  /// In `ends`, of a string: it has an escape.
  static constexpr std::uint32_t kEscaped = 0x80000000;

  std::string_view text;
  std::uint32_t count = 0;
  /// Where each token begins; one more, starts[count], is the text's size.
  const std::uint32_t* starts = nullptr;
  /// Written by the grammar check. Brackets that open: the token that closes them. Strings: the
  /// offset of the closing quote, with kEscaped. Numbers and literals: the offset behind them.
  /// Other tokens: nothing meaningful.
  std::uint32_t* ends = nullptr;

  /// The token's first byte, which tells its kind.
  [[nodiscard]] char lead(std::uint32_t token) const { return text.data()[starts[token]]; }

  /// The text from the offset `begin` to just before the offset `end`.
  [[nodiscard]] std::string_view between(std::uint32_t begin, std::uint32_t end) const {
    return {text.data() + begin, end - begin};
  }

  [[nodiscard]] bool opens(std::uint32_t token) const {
    return lead(token) == '{' || lead(token) == '[';
  }

  /// The token behind the value that begins at `token`. O(1).
  [[nodiscard]] std::uint32_t behind(std::uint32_t token) const {
    return (opens(token) ? ends[token] : token) + 1;
  }
};

}  // namespace json
