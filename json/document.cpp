#include "json/document.hpp"

#include "json/index.hpp"
#include "json/text.hpp"

namespace json {

Document::Document() : index_(std::make_unique<Index>()) {}
Document::~Document() = default;

std::optional<Problem> Document::parse(std::string_view text) { return index_->make(text); }

Value Document::root() const { return Value(this, 0); }

void Document::shrink(std::size_t bytes_max) { index_->shrink(bytes_max); }

Type Value::type() const {
  switch (document_->index_->at(token_)) {
    case '{': return Type::object;
    case '[': return Type::array;
    case '"': return Type::string;
    case 't':
    case 'f': return Type::boolean;
    case 'n': return Type::null;
    default: return Type::number;
  }
}

bool Value::is_true() const { return document_->index_->at(token_) == 't'; }

std::string_view Value::text() const {
  const Document::Index& index = *document_->index_;
  const std::size_t begin = index.positions[token_];
  const char c = index.text[begin];
  const std::size_t end = c == '{' || c == '[' ? index.positions[index.partner[token_]] + 1
                                               : index.scalar_end(token_);
  return index.text.substr(begin, end - begin);
}

std::string_view Value::raw_string() const {
  const std::string_view quoted = text();
  return quoted.substr(1, quoted.size() - 2);
}

std::string_view Value::string(std::string& scratch) const {
  const std::string_view raw = raw_string();
  if (raw.find('\\') == std::string_view::npos) return raw;
  unescape(raw, scratch);
  return scratch;
}

bool Value::empty() const {
  const Document::Index& index = *document_->index_;
  return index.partner[token_] == token_ + 1;
}

std::optional<Value> Value::find(std::string_view name) const {
  std::optional<Value> found;
  for (const Member member : members())
    if (member.named(name)) found = member.value;
  return found;
}

Members Value::members() const { return {document_, token_}; }
Elements Value::elements() const { return {document_, token_}; }

bool Member::named(std::string_view wanted) const {
  return unescaped_equals(name.raw_string(), wanted);
}

MemberIterator Members::begin() const { return {document_, token_ + 1}; }
MemberIterator Members::end() const {
  return {document_, document_->index_->partner[token_]};
}

Member MemberIterator::operator*() const {
  return {Value(document_, token_), Value(document_, token_ + 2)};  // name, colon, value
}

MemberIterator& MemberIterator::operator++() {
  const Document::Index& index = *document_->index_;
  token_ = index.behind(token_ + 2);
  if (index.at(token_) == ',') ++token_;
  return *this;
}

ElementIterator Elements::begin() const { return {document_, token_ + 1}; }
ElementIterator Elements::end() const {
  return {document_, document_->index_->partner[token_]};
}

Value ElementIterator::operator*() const { return Value(document_, token_); }

ElementIterator& ElementIterator::operator++() {
  const Document::Index& index = *document_->index_;
  token_ = index.behind(token_);
  if (index.at(token_) == ',') ++token_;
  return *this;
}

}  // namespace json
