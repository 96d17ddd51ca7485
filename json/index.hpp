#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "json/document.hpp"

namespace simdjson::internal {
class dom_parser_implementation;
}

namespace json {

/// A text's tokens: the positions of brackets, colons, commas and of each scalar's first byte, as
/// simdjson's first stage finds them, and each opening bracket's partner. Internal to json/.
struct Document::Index {
  Index();
  ~Index();

  std::optional<Problem> make(std::string_view text);
  void shrink(std::size_t bytes_max);

  [[nodiscard]] char at(std::uint32_t token) const { return text[positions[token]]; }
  /// The token behind the value that begins at `token`.
  [[nodiscard]] std::uint32_t behind(std::uint32_t token) const {
    const char c = at(token);
    return (c == '{' || c == '[' ? partner[token] : token) + 1;
  }
  /// Where the scalar at `token` ends: white space before the next token left out.
  [[nodiscard]] std::size_t scalar_end(std::uint32_t token) const;

  std::string_view text;
  const std::uint32_t* positions = nullptr;  ///< of each token; behind the last: the text's size
  std::uint32_t tokens = 0;
  std::vector<std::uint32_t> partner;  ///< by token; set for opening brackets only

 private:
  std::unique_ptr<simdjson::internal::dom_parser_implementation> stage_one_;
  std::size_t capacity_ = 0;
};

/// Checks the whole grammar over an index's tokens and sets the partners. O(bytes).
std::optional<Problem> check_grammar(Document::Index& index);

/// Whether `text` is one JSON number. The text must not be empty.
bool is_number(std::string_view text);
/// Whether every escape between a string's quotes is one of JSON's.
bool valid_escapes(std::string_view raw);

}  // namespace json
