#include <array>
#include <cstring>

#include "json/index.hpp"

namespace json {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

std::size_t digits(std::string_view text, std::size_t from) {
  while (from < text.size() && is_digit(text[from])) ++from;
  return from;
}

bool is_string(std::string_view text) {
  if (text.size() < 2 || text.back() != '"') return false;
  return valid_escapes(text.substr(1, text.size() - 2));
}

bool is_scalar(std::string_view text) {
  switch (text.front()) {
    case '"': return is_string(text);
    case 't': return text == "true";
    case 'f': return text == "false";
    case 'n': return text == "null";
    default: return is_number(text);
  }
}

/// One walk over the tokens with a stack of open brackets.
class Walk {
 public:
  explicit Walk(Document::Index& index) : index_(index) {}

  std::optional<Problem> run() {
    while (token_ < index_.tokens) {
      if (!step()) return Problem{fault_, index_.positions[token_]};
      ++token_;
    }
    if (expect_ != Expect::nothing) return Problem{Fault::not_json, index_.text.size()};
    return std::nullopt;
  }

 private:
  enum class Expect : std::uint8_t {
    value,
    value_or_close,  // behind '['
    name_or_close,   // behind '{'
    name,            // behind a comma in an object
    colon,
    comma_or_close,
    nothing,
  };

  bool step() {
    const char c = index_.at(token_);
    switch (expect_) {
      case Expect::value: return value(c);
      case Expect::value_or_close: return c == ']' ? close(c) : value(c);
      case Expect::name_or_close: return c == '}' ? close(c) : name(c);
      case Expect::name: return name(c);
      case Expect::colon:
        expect_ = Expect::value;
        return c == ':';
      case Expect::comma_or_close:
        if (c != ',') return close(c);
        expect_ = index_.at(open_[depth_ - 1]) == '{' ? Expect::name : Expect::value;
        return true;
      case Expect::nothing: return false;
    }
    return false;
  }

  bool value(char c) {
    if (c == '{' || c == '[') return open(c);
    after_value();
    return scalar();
  }

  bool name(char c) {
    expect_ = Expect::colon;
    return c == '"' && scalar();
  }

  bool scalar() {
    const std::size_t begin = index_.positions[token_];
    return is_scalar(index_.text.substr(begin, index_.scalar_end(token_) - begin));
  }

  bool open(char c) {
    if (depth_ == kDepthMax) {
      fault_ = Fault::too_deep;
      return false;
    }
    open_[depth_++] = token_;
    expect_ = c == '{' ? Expect::name_or_close : Expect::value_or_close;
    return true;
  }

  bool close(char c) {
    const std::uint32_t opening = open_[depth_ - 1];
    if (c != (index_.at(opening) == '{' ? '}' : ']')) return false;
    index_.partner[opening] = token_;
    --depth_;
    after_value();
    return true;
  }

  void after_value() { expect_ = depth_ == 0 ? Expect::nothing : Expect::comma_or_close; }

  Document::Index& index_;
  std::uint32_t token_ = 0;
  Expect expect_ = Expect::value;
  Fault fault_ = Fault::not_json;
  std::size_t depth_ = 0;
  std::array<std::uint32_t, kDepthMax> open_;  // set up to depth_
};

}  // namespace

bool is_number(std::string_view text) {
  std::size_t at = text.front() == '-' ? 1 : 0;
  if (at == text.size()) return false;
  if (text[at] == '0') {
    ++at;
  } else {
    const std::size_t end = digits(text, at);
    if (end == at) return false;
    at = end;
  }
  if (at < text.size() && text[at] == '.') {
    const std::size_t end = digits(text, at + 1);
    if (end == at + 1) return false;
    at = end;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    const std::size_t end = digits(text, at);
    if (end == at) return false;
    at = end;
  }
  return at == text.size();
}

bool valid_escapes(std::string_view raw) {
  for (std::size_t at = raw.find('\\'); at != std::string_view::npos; at = raw.find('\\', at)) {
    if (++at == raw.size()) return false;
    if (raw[at] == 'u') {
      if (raw.size() - at < 5) return false;
      for (int i = 0; i < 4; ++i)
        if (!is_hex(raw[++at])) return false;
    } else if (std::memchr("\"\\/bfnrt", raw[at], 8) == nullptr) {
      return false;
    }
    ++at;
  }
  return true;
}

std::optional<Problem> check_grammar(Document::Index& index) { return Walk(index).run(); }

}  // namespace json
