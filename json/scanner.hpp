#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "json/document.hpp"
#include "json/tokens.hpp"

namespace json {

/// Finds a text's tokens with simdjson's first stage, and keeps the memory they live in.
class Scanner {
 public:
  Scanner();
  ~Scanner();
  Scanner(const Scanner&) = delete;
  Scanner& operator=(const Scanner&) = delete;

  /// Sets `tokens` to those of `text`, `ends` not yet filled. Refuses what holds no token, invalid
  /// UTF-8, control characters in strings, and a string that is not closed; nothing else is
  /// checked. Reads no byte behind the text. Throws std::bad_alloc.
  [[nodiscard]] std::optional<Problem> scan(std::string_view text, Tokens& tokens);

  /// Frees everything if it has grown for texts larger than `bytes_max`. Earlier tokens are gone
  /// then.
  void shrink(std::size_t bytes_max);

 private:
  struct Parser;  // keeps simdjson's large header out of this one
  void reserve_text(std::size_t bytes);
  void reserve_ends(std::size_t count);

  std::unique_ptr<Parser> parser_;
  std::size_t text_capacity_ = 0;
  std::unique_ptr<std::uint32_t[]> ends_;
  std::size_t ends_capacity_ = 0;
};

}  // namespace json
