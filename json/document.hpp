#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// JSON text read in place: indexed by simdjson, checked for grammar, never copied into a tree.
namespace json {

/// Deeper nesting than this is refused.
inline constexpr std::size_t kDepthMax = 1000;

enum class Type : std::uint8_t { null, boolean, number, string, array, object };

enum class Fault : std::uint8_t {
  not_json,  ///< JSON.parse would refuse the text (invalid UTF-8 and a BOM included)
  too_deep,  ///< nested deeper than kDepthMax
};

struct Problem {
  Fault fault = Fault::not_json;
  std::size_t offset = 0;  ///< the byte at or near which reading stopped

  bool operator==(const Problem&) const = default;
};

class Document;
class Members;
class Elements;

/// A value inside a parsed Document: a position, cheap to copy, valid as long as the Document is
/// not parsed anew and the text stays where it is.
class Value {
 public:
  [[nodiscard]] Type type() const;
  [[nodiscard]] bool is(Type wanted) const { return type() == wanted; }
  [[nodiscard]] bool is_true() const;

  /// The value's exact bytes, quotes or brackets included, no white space around.
  [[nodiscard]] std::string_view text() const;

  /// Strings: the bytes between the quotes, escapes untouched.
  [[nodiscard]] std::string_view raw_string() const;
  /// Strings: unescaped. A view of the text where nothing is escaped, else of `scratch`, which is
  /// overwritten. An unpaired surrogate becomes EF BF BD, as Node writes it when hashing.
  [[nodiscard]] std::string_view string(std::string& scratch) const;
  /// Strings: compares after unescaping, without allocating.
  [[nodiscard]] bool equals(std::string_view wanted) const;

  /// Objects: the last member whose unescaped name equals `name`, as JSON.parse would keep it.
  [[nodiscard]] std::optional<Value> find(std::string_view name) const;
  /// Objects: the members in the text's order, duplicates included.
  [[nodiscard]] Members members() const;
  /// Arrays: the elements in order.
  [[nodiscard]] Elements elements() const;
  /// Arrays and objects: true when nothing is between the brackets. O(1).
  [[nodiscard]] bool empty() const;

 private:
  friend class Document;
  friend class MemberIterator;
  friend class ElementIterator;
  Value(const Document* document, std::uint32_t token) : document_(document), token_(token) {}
  const Document* document_;
  std::uint32_t token_;  // index into the Document's tokens
};

struct Member {
  Value name;  ///< a string value
  Value value;
  /// Compares after unescaping.
  [[nodiscard]] bool named(std::string_view wanted) const;
};

class MemberIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = Member;
  using difference_type = std::ptrdiff_t;
  using pointer = void;
  using reference = Member;
  Member operator*() const;
  MemberIterator& operator++();
  bool operator==(const MemberIterator&) const = default;

 private:
  friend class Members;
  MemberIterator(const Document* document, std::uint32_t token)
      : document_(document), token_(token) {}
  const Document* document_;
  std::uint32_t token_;
};

class ElementIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = Value;
  using difference_type = std::ptrdiff_t;
  using pointer = void;
  using reference = Value;
  Value operator*() const;
  ElementIterator& operator++();
  bool operator==(const ElementIterator&) const = default;

 private:
  friend class Elements;
  ElementIterator(const Document* document, std::uint32_t token)
      : document_(document), token_(token) {}
  const Document* document_;
  std::uint32_t token_;
};

class Members {
 public:
  Members(const Document* document, std::uint32_t token) : document_(document), token_(token) {}
  [[nodiscard]] MemberIterator begin() const;
  [[nodiscard]] MemberIterator end() const;

 private:
  const Document* document_;
  std::uint32_t token_;
};

class Elements {
 public:
  Elements(const Document* document, std::uint32_t token) : document_(document), token_(token) {}
  [[nodiscard]] ElementIterator begin() const;
  [[nodiscard]] ElementIterator end() const;

 private:
  const Document* document_;
  std::uint32_t token_;
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

  /// Gives back buffers for texts larger than `bytes_max` (after a giant frame). Earlier values are
  /// no longer usable, whether or not something was given back.
  void shrink(std::size_t bytes_max);

  struct Index;  ///< internal to json/

 private:
  friend class Value;
  friend class MemberIterator;
  friend class ElementIterator;
  friend class Members;
  friend class Elements;
  std::unique_ptr<Index> index_;
};

}  // namespace json
