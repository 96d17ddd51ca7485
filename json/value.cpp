#include "json/document.hpp"

#include <array>
#include <cassert>

#include "json/index.hpp"
#include "json/text.hpp"

namespace json {
namespace {

/// The bytes between the quotes of the string `token`.
std::string_view between_quotes(const Tokens& tokens, std::uint32_t token) {
  return tokens.between(tokens.starts[token] + 1, tokens.ends[token] & ~Tokens::kEscaped);
}

bool has_escape(const Tokens& tokens, std::uint32_t token) {
  return (tokens.ends[token] & Tokens::kEscaped) != 0;
}

bool is_named(const Tokens& tokens, std::uint32_t token, std::string_view wanted) {
  const std::string_view raw = between_quotes(tokens, token);
  return has_escape(tokens, token) ? unescaped_equals(raw, wanted) : raw == wanted;
}

/// From an element or a member's value to what follows: the next one, or the closing bracket.
std::uint32_t next_in_list(const Tokens& tokens, std::uint32_t value) {
  const std::uint32_t behind = tokens.behind(value);
  return tokens.lead(behind) == ',' ? behind + 1 : behind;
}

constexpr std::uint32_t kNameAndColon = 2;

/// By a checked value's first byte. A table, because a switch here is often mispredicted.
constexpr std::array<Type, 128> kTypes = [] {
  std::array<Type, 128> types{};
  types.fill(Type::number);
  types['{'] = Type::object;
  types['['] = Type::array;
  types['"'] = Type::string;
  types['t'] = types['f'] = Type::boolean;
  types['n'] = Type::null;
  return types;
}();

}  // namespace

Type Value::type() const { return kTypes[document_->index_->tokens.lead(token_) & 0x7f]; }

bool Value::is_true() const { return document_->index_->tokens.lead(token_) == 't'; }

std::string_view Value::text() const {
  const Tokens& tokens = document_->index_->tokens;
  const std::uint32_t begin = tokens.starts[token_];
  const std::uint32_t end = tokens.ends[token_];
  if (tokens.opens(token_)) return tokens.between(begin, tokens.starts[end] + 1);
  if (tokens.lead(token_) != '"') return tokens.between(begin, end);
  return tokens.between(begin, (end & ~Tokens::kEscaped) + 1);
}

std::string_view Value::raw_string() const {
  assert(is(Type::string));
  return between_quotes(document_->index_->tokens, token_);
}

std::string_view Value::string(std::string& scratch) const {
  assert(is(Type::string));
  const Tokens& tokens = document_->index_->tokens;
  const std::string_view raw = between_quotes(tokens, token_);
  if (!has_escape(tokens, token_)) return raw;
  unescape(raw, scratch);
  return scratch;
}

bool Value::equals(std::string_view wanted) const {
  assert(is(Type::string));
  return is_named(document_->index_->tokens, token_, wanted);
}

std::optional<Value> Value::find(std::string_view name) const {
  assert(is(Type::object));
  const Tokens& tokens = document_->index_->tokens;
  std::uint32_t found = 0;
  const std::uint32_t close = tokens.ends[token_];
  for (std::uint32_t at = token_ + 1; at != close;) {
    const std::uint32_t value = at + kNameAndColon;
    if (is_named(tokens, at, name)) found = value;
    at = next_in_list(tokens, value);
  }
  if (found == 0) return std::nullopt;
  return Value(document_, found);
}

Members Value::members() const {
  assert(is(Type::object));
  return {document_, token_};
}

Elements Value::elements() const {
  assert(is(Type::array));
  return {document_, token_};
}

bool Value::empty() const {
  const Tokens& tokens = document_->index_->tokens;
  assert(tokens.opens(token_));
  return tokens.ends[token_] == token_ + 1;
}

bool Member::named(std::string_view wanted) const { return name.equals(wanted); }

Member MemberIterator::operator*() const {
  return {Value(document_, token_), Value(document_, token_ + kNameAndColon)};
}

MemberIterator& MemberIterator::operator++() {
  token_ = next_in_list(document_->index_->tokens, token_ + kNameAndColon);
  return *this;
}

Value ElementIterator::operator*() const { return {document_, token_}; }

ElementIterator& ElementIterator::operator++() {
  token_ = next_in_list(document_->index_->tokens, token_);
  return *this;
}

MemberIterator Members::begin() const { return {document_, token_ + 1}; }
MemberIterator Members::end() const { return {document_, document_->index_->tokens.ends[token_]}; }
ElementIterator Elements::begin() const { return {document_, token_ + 1}; }
ElementIterator Elements::end() const {
  return {document_, document_->index_->tokens.ends[token_]};
}

}  // namespace json
