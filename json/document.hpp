#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "json/value.hpp"

/// JSON text read in place: indexed by simdjson, checked for grammar, never copied into a tree.
namespace json {

/// Deeper nesting than this is refused.
inline constexpr std::size_t kDepthMax = 1000;

enum class Fault : std::uint8_t {
  not_json,  ///< JSON.parse would refuse the text (invalid UTF-8 and a BOM included)
  too_deep,  ///< nested deeper than kDepthMax
};

struct Problem {
  Fault fault = Fault::not_json;
  std::size_t offset = 0;  ///< the byte at or near which reading stopped

  bool operator==(const Problem&) const = default;
};

/// A text's structural index, checked. Reusable: parse again and again, memory is kept (bounded
/// by `shrink`). Lives on one worker. Accepts exactly what JSON.parse accepts, so lone-surrogate
/// escapes, duplicate members and numbers of any length; nesting to kDepthMax.
class Document {
 public:
  Document();
  ~Document();
  Document(const Document&) = delete;
  Document& operator=(const Document&) = delete;

  /// Indexes and checks `text`, which must stay where it is while values are used. O(bytes); no
  /// allocation once the buffers have grown (up to 8 bytes for each byte of text), throws
  /// std::bad_alloc when they can't. Needs no padding behind the text. Texts of 2 GiB and more are
  /// refused.
  [[nodiscard]] std::optional<Problem> parse(std::string_view text);

  /// The whole text's value. Only after a parse without a problem.
  [[nodiscard]] Value root() const;

  /// How many brackets, colons, commas, strings, numbers and literals the text has: what a tree of
  /// it would take is proportional to that, and not to the text's length. O(1).
  [[nodiscard]] std::size_t tokens() const;

  /// Gives back buffers for texts larger than `bytes_max` (after a giant frame). Earlier values are
  /// no longer usable, whether or not something was given back.
  void shrink(std::size_t bytes_max);

  struct Index;  ///< internal to json/

 private:
  std::unique_ptr<Index> index_;
};

}  // namespace json
