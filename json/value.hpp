#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

#include "json/text.hpp"
#include "json/tokens.hpp"

namespace json {

enum class Type : std::uint8_t { null, boolean, number, string, array, object };

class Document;
class Members;
class Elements;

/// A value inside a parsed Document: a position, cheap to copy, valid as long as the Document is
/// not parsed anew and the text stays where it is.
class Value {
 public:
  [[nodiscard]] Type type() const;
  [[nodiscard]] bool is(Type wanted) const { return type() == wanted; }
  [[nodiscard]] bool is_true() const { return tokens_->lead(token_) == 't'; }

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
  Value(const Tokens* tokens, std::uint32_t token) : tokens_(tokens), token_(token) {}
  /// From an element or a member's value to what follows: the next one, or the closing bracket.
  static std::uint32_t next_in_list(const Tokens& tokens, std::uint32_t value) {
    const std::uint32_t behind = tokens.behind(value);
    return tokens.lead(behind) == ',' ? behind + 1 : behind;
  }
  static constexpr std::uint32_t kNameAndColon = 2;
  const Tokens* tokens_;
  std::uint32_t token_;  // index into the Document's tokens
};

struct Member {
  Value name;  ///< a string value
  Value value;
  /// Compares after unescaping.
  [[nodiscard]] bool named(std::string_view wanted) const { return name.equals(wanted); }
};

class MemberIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = Member;
  using difference_type = std::ptrdiff_t;
  using pointer = void;
  using reference = Member;
  Member operator*() const {
    return {Value(tokens_, token_), Value(tokens_, token_ + Value::kNameAndColon)};
  }
  MemberIterator& operator++() {
    token_ = Value::next_in_list(*tokens_, token_ + Value::kNameAndColon);
    return *this;
  }
  bool operator==(const MemberIterator&) const = default;

 private:
  friend class Members;
  MemberIterator(const Tokens* tokens, std::uint32_t token) : tokens_(tokens), token_(token) {}
  const Tokens* tokens_;
  std::uint32_t token_;
};

class ElementIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = Value;
  using difference_type = std::ptrdiff_t;
  using pointer = void;
  using reference = Value;
  Value operator*() const { return {tokens_, token_}; }
  ElementIterator& operator++() {
    token_ = Value::next_in_list(*tokens_, token_);
    return *this;
  }
  bool operator==(const ElementIterator&) const = default;

 private:
  friend class Elements;
  ElementIterator(const Tokens* tokens, std::uint32_t token) : tokens_(tokens), token_(token) {}
  const Tokens* tokens_;
  std::uint32_t token_;
};

class Members {
 public:
  [[nodiscard]] MemberIterator begin() const { return {tokens_, token_ + 1}; }
  [[nodiscard]] MemberIterator end() const { return {tokens_, tokens_->ends[token_]}; }

 private:
  friend class Value;
  Members(const Tokens* tokens, std::uint32_t token) : tokens_(tokens), token_(token) {}
  const Tokens* tokens_;
  std::uint32_t token_;
};

class Elements {
 public:
  [[nodiscard]] ElementIterator begin() const { return {tokens_, token_ + 1}; }
  [[nodiscard]] ElementIterator end() const { return {tokens_, tokens_->ends[token_]}; }

 private:
  friend class Value;
  Elements(const Tokens* tokens, std::uint32_t token) : tokens_(tokens), token_(token) {}
  const Tokens* tokens_;
  std::uint32_t token_;
};

// A request's and a reply's members are looked at one by one: these are a few instructions each,
// and most of what the router does to JSON is made of them.

inline Type Value::type() const {
  // By a checked value's first byte. A table, because a switch here is often mispredicted.
  static constexpr std::array<Type, 128> kTypes = [] {
    std::array<Type, 128> types{};
    types.fill(Type::number);
    types['{'] = Type::object;
    types['['] = Type::array;
    types['"'] = Type::string;
    types['t'] = types['f'] = Type::boolean;
    types['n'] = Type::null;
    return types;
  }();
  return kTypes[static_cast<unsigned char>(tokens_->lead(token_)) & 0x7f];
}

inline std::string_view Value::text() const {
  const std::uint32_t begin = tokens_->starts[token_];
  const std::uint32_t end = tokens_->ends[token_];
  const char lead = tokens_->lead(token_);
  if (lead == '"') return tokens_->between(begin, (end & ~Tokens::kEscaped) + 1);
  return tokens_->between(begin, tokens_->opens(token_) ? tokens_->starts[end] + 1 : end);
}

inline std::string_view Value::raw_string() const {
  assert(is(Type::string));
  return tokens_->between(tokens_->starts[token_] + 1, tokens_->ends[token_] & ~Tokens::kEscaped);
}

inline std::string_view Value::string(std::string& scratch) const {
  const std::string_view raw = raw_string();
  if ((tokens_->ends[token_] & Tokens::kEscaped) == 0) return raw;
  unescape(raw, scratch);
  return scratch;
}

[[gnu::always_inline]] inline bool Value::equals(std::string_view wanted) const {
  assert(is(Type::string));
  const std::uint32_t end = tokens_->ends[token_];
  if ((end & Tokens::kEscaped) != 0) [[unlikely]]
    return unescaped_equals(raw_string(), wanted);
  const std::uint32_t begin = tokens_->starts[token_] + 1;
  return end - begin == wanted.size() && tokens_->between(begin, end) == wanted;
}

[[gnu::always_inline]] inline std::optional<Value> Value::find(std::string_view name) const {
  assert(is(Type::object));
  std::uint32_t found = 0;
  const std::uint32_t close = tokens_->ends[token_];
  for (std::uint32_t at = token_ + 1; at != close;) {
    const std::uint32_t value = at + kNameAndColon;
    if (Value(tokens_, at).equals(name)) found = value;
    at = next_in_list(*tokens_, value);
  }
  if (found == 0) return std::nullopt;
  return Value(tokens_, found);
}

inline Members Value::members() const {
  assert(is(Type::object));
  return {tokens_, token_};
}

inline Elements Value::elements() const {
  assert(is(Type::array));
  return {tokens_, token_};
}

inline bool Value::empty() const {
  assert(tokens_->opens(token_));
  return tokens_->ends[token_] == token_ + 1;
}

}  // namespace json
