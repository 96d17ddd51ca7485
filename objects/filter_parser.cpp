#include <algorithm>

#include "objects/filter.hpp"
#include "objects/text.hpp"

namespace objects {
namespace {

/// Thrown inside this file only; a parser over an untrusted text is clearest with an exit.
struct Problem {
  std::string text;
};

bool attribute_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

std::optional<std::uint32_t> hex_pair(std::string_view text) {
  std::uint32_t code = 0;
  if (text.size() < 2) return std::nullopt;
  for (const char c : text.substr(0, 2)) {
    const bool digit = c >= '0' && c <= '9';
    const char lower = static_cast<char>(c | 0x20);
    if (!digit && (lower < 'a' || lower > 'f')) return std::nullopt;
    code = code << 4 | static_cast<std::uint32_t>(digit ? c - '0' : lower - 'a' + 10);
  }
  return code;
}

/// The first characters, for an error.
std::string characters(std::string_view text, std::size_t count) {
  std::size_t bytes = 0;
  for (; count > 0 && bytes < text.size(); --count) {
    ++bytes;
    while (bytes < text.size() && (static_cast<unsigned char>(text[bytes]) & 0xc0) == 0x80) ++bytes;
  }
  return std::string(text.substr(0, bytes));
}

/// A value with its escapes undone, split where unescaped asterisks stood.
std::vector<std::string> unescape(std::string_view raw, bool split) {
  std::vector<std::string> parts(1);
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const char c = raw[i];
    if (c == '(') throw Problem{"illegal unescaped char: ("};
    if (c == '*' && split) {
      parts.emplace_back();
    } else if (c != '\\') {
      parts.back() += c;
    } else if (const auto code = hex_pair(raw.substr(i + 1))) {
      text::append_code_point(parts.back(), *code);
      i += 2;
    } else if (i + 1 < raw.size() &&
               std::string_view("()*\\=").find(raw[i + 1]) != std::string_view::npos) {
      parts.back() += raw[++i];
    } else {
      throw Problem{"invalid escape sequence: \"\\" +
                    characters(raw.substr(std::min(i + 1, raw.size())), 2) + "\""};
    }
  }
  return parts;
}

void set_parts(Filter& filter, std::vector<std::string> parts) {
  filter.split = true;
  filter.initial = parts.front();
  filter.final = parts.back();
  filter.any.assign(parts.begin() + 1, parts.end() - 1);
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Filter whole() {
    Filter filter = parenthesised(0);
    if (at_ != text_.size()) throw Problem{"unbalanced parens"};
    return filter;
  }

 private:
  [[nodiscard]] bool ended() const { return at_ >= text_.size(); }
  [[nodiscard]] char peek() const {
    if (ended()) throw Problem{"unbalanced parens"};
    return text_[at_];
  }
  void expect_open() {
    if (peek() != '(')
      throw Problem{"expected '(', but found '" + characters(text_.substr(at_), 1) + "'"};
    ++at_;
  }

  void count() {
    if (++parts_ > kFilterPartsMax) throw Problem{"too many parts"};
  }

  Filter parenthesised(std::size_t depth) {
    expect_open();
    Filter filter = component(depth);
    if (ended() || text_[at_] != ')') throw Problem{"unbalanced parens"};
    ++at_;
    return filter;
  }

  /// What stands between parentheses.
  Filter component(std::size_t depth) {
    if (depth > kFilterDepthMax) throw Problem{"too deep"};
    count();
    switch (peek()) {
      case '&': return list(Filter::Kind::conjunction, depth);
      case '|': return list(Filter::Kind::disjunction, depth);
      case '!': return negation(depth);
      default: return expression();
    }
  }

  Filter list(Filter::Kind kind, std::size_t depth) {
    ++at_;
    Filter filter;
    filter.kind = kind;
    do filter.children.push_back(child(depth));
    while (peek() != ')');
    return filter;
  }

  Filter negation(std::size_t depth) {
    count();
    ++at_;
    Filter filter;
    filter.kind = Filter::Kind::negation;
    filter.children.push_back(child(depth));
    return filter;
  }

  /// A component in parentheses, or `!` before one.
  Filter child(std::size_t depth) {
    if (depth > kFilterDepthMax) throw Problem{"too deep"};
    return peek() == '!' ? negation(depth + 1) : parenthesised(depth + 1);
  }

  /// Up to the first unescaped `)`, which stays.
  std::string_view raw_value() {
    const std::size_t from = at_;
    for (; !ended() && text_[at_] != ')'; ++at_)
      if (text_[at_] == '\\') ++at_;
    if (ended()) throw Problem{"unbalanced parens"};
    return text_.substr(from, at_ - from);
  }

  Filter expression() {
    const std::size_t from = at_;
    while (!ended() && attribute_byte(text_[at_])) ++at_;
    Filter filter;
    filter.attribute = text_.substr(from, at_ - from);
    if (!ended() && text_[at_] == ':') return extensible(std::move(filter));
    if (filter.attribute.empty())
      throw Problem{ended() ? "unbalanced parens" : "invalid attribute name"};
    if (ended()) throw Problem{"unbalanced parens"};
    const char op = text_[at_];
    if (op == '=') return equality(std::move(filter));
    const bool ordering =
        (op == '>' || op == '<' || op == '~') && at_ + 1 < text_.size() && text_[at_ + 1] == '=';
    if (!ordering) throw Problem{"invalid expression"};
    at_ += 2;
    filter.kind = op == '>'   ? Filter::Kind::greater_or_equal
                  : op == '<' ? Filter::Kind::less_or_equal
                              : Filter::Kind::approximate;
    filter.value = unescape(raw_value(), false).front();
    return filter;
  }

  Filter equality(Filter filter) {
    ++at_;
    const std::string_view raw = raw_value();
    if (raw == "*") {
      filter.kind = Filter::Kind::present;
      return filter;
    }
    auto parts = unescape(raw, true);
    if (parts.size() == 1) {
      filter.value = std::move(parts.front());
      return filter;
    }
    filter.kind = Filter::Kind::substring;
    set_parts(filter, std::move(parts));
    return filter;
  }

  /// `:=`, `:rule:=`, `:dn:=`, `:dn:rule:=`; at the first colon.
  Filter extensible(Filter filter) {
    filter.kind = Filter::Kind::extensible;
    const std::size_t assign = text_.find(":=", at_);
    const std::size_t close = text_.find(')', at_);
    if (assign == std::string_view::npos || (close != std::string_view::npos && close < assign))
      throw Problem{"missing := in ext filter"};
    std::string_view middle = text_.substr(at_, assign - at_);  // "", ":rule", ":dn", ":dn:rule"
    if (middle.size() >= 3 && text::lower_ascii(middle.substr(0, 3)) == ":dn" &&
        (middle.size() == 3 || middle[3] == ':')) {
      filter.dn_attributes = true;
      middle.remove_prefix(3);
    }
    if (!middle.empty()) {
      middle.remove_prefix(1);
      if (middle.find(':') != std::string_view::npos) throw Problem{"missing := in ext filter"};
      filter.rule = std::string(middle);
    }
    at_ = assign + 2;
    const std::string_view raw = raw_value();
    filter.value = unescape(raw, false).front();
    if (auto parts = unescape(raw, true); parts.size() > 1) set_parts(filter, std::move(parts));
    return filter;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t parts_ = 0;
};

}  // namespace

ParsedFilter parse_filter(std::string_view text) {
  if (text.empty()) return {std::nullopt, "input string cannot be empty"};
  const std::string wrapped =
      text.front() == '(' ? std::string(text) : "(" + std::string(text) + ")";
  try {
    return {Parser(wrapped).whole(), {}};
  } catch (const Problem& problem) {
    return {std::nullopt, problem.text};
  }
}

}  // namespace objects
