#include "json/grammar.hpp"

#include <cstring>

namespace json {
namespace {

constexpr std::uint32_t kNone = 0xffffffff;

bool is_digit(char byte) { return static_cast<unsigned char>(byte - '0') < 10; }

bool is_hex_digit(char byte) {
  return is_digit(byte) || static_cast<unsigned char>((byte | 0x20) - 'a') < 6;
}

const char* skip_digits(const char* at, const char* end) {
  while (at != end && is_digit(*at)) ++at;
  return at;
}

/// Behind the number that begins at `at`; nullptr when none does.
const char* number_end(const char* at, const char* end) {
  if (*at == '-') ++at;
  const char* digits = at;
  at = skip_digits(at, end);
  if (at == digits || (*digits == '0' && at - digits > 1)) return nullptr;
  if (at != end && *at == '.') {
    digits = ++at;
    at = skip_digits(at, end);
    if (at == digits) return nullptr;
  }
  if (at != end && (*at == 'e' || *at == 'E')) {
    ++at;
    if (at != end && (*at == '+' || *at == '-')) ++at;
    digits = at;
    at = skip_digits(at, end);
    if (at == digits) return nullptr;
  }
  return at;
}

/// Behind `literal` if it stands at `at`; nullptr otherwise.
const char* literal_end(const char* at, const char* end, std::string_view literal) {
  if (static_cast<std::size_t>(end - at) < literal.size()) return nullptr;
  if (std::memcmp(at, literal.data(), literal.size()) != 0) return nullptr;
  return at + literal.size();
}

const char* find_backslash(const char* from, const char* end) {
  const void* found = std::memchr(from, '\\', static_cast<std::size_t>(end - from));
  return found ? static_cast<const char*>(found) : end;
}

/// Behind the escape whose backslash is at `at`; nullptr when it is none. `end` is the string's
/// closing quote.
const char* escape_end(const char* at, const char* end) {
  if (end - at < 2) return nullptr;
  switch (at[1]) {
    case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't':
      return at + 2;
    case 'u':
      if (end - at < 6) return nullptr;
      for (int digit = 2; digit < 6; ++digit)
        if (!is_hex_digit(at[digit])) return nullptr;
      return at + 6;
    default:
      return nullptr;
  }
}

/// Checks the escapes from the one at `at` to the closing quote `end`; the wrong one, or nullptr.
const char* wrong_escape(const char* at, const char* end) {
  while (at != end) {
    const char* next = escape_end(at, end);
    if (!next) return at;
    at = *next == '\\' ? next : find_backslash(next, end);
  }
  return nullptr;
}

/// One walk over the tokens. Open brackets are chained through their `ends`, so that no stack is
/// needed.
class Walk {
 public:
  explicit Walk(const Tokens& tokens)
      : text_(tokens.text.data()),
        text_end_(text_ + tokens.text.size()),
        starts_(tokens.starts),
        ends_(tokens.ends),
        count_(tokens.count),
        backslash_(find_backslash(text_, text_end_)) {}

  std::optional<Problem> run() {
    const bool correct = opens(lead(0)) ? container() : scalar() && ++at_ == count_;
    if (correct) return std::nullopt;
    return Problem{fault_, wrong_ ? static_cast<std::size_t>(wrong_ - text_) : starts_[at_]};
  }

 private:
  static bool opens(char byte) { return byte == '{' || byte == '['; }
  static bool closes(char byte) { return byte == '}' || byte == ']'; }
  char lead(std::uint32_t token) const { return text_[starts_[token]]; }
  const char* start() const { return text_ + starts_[at_]; }
  const char* limit() const { return text_ + starts_[at_ + 1]; }

  /// Walks the outermost array or object. Its last token closes a bracket, which is neither a
  /// value, a name, a colon nor a comma: so the token behind one of those always exists.
  bool container() {
    if (!closes(lead(count_ - 1))) return wrong_at(text_ + starts_[count_ - 1]);
    for (;;) {
      if (opens(lead(at_))) {
        if (!enter()) return false;
        if (!closes(lead(at_))) {
          if (in_object_ && !name()) return false;
          continue;
        }
      } else {
        if (!scalar()) return false;
        ++at_;
      }
      while (lead(at_) != ',') {
        if (!leave()) return false;
        if (at_ == count_) return open_ == kNone;
        if (open_ == kNone) return false;
      }
      ++at_;
      if (in_object_ && !name()) return false;
    }
  }

  bool enter() {
    if (++depth_ > kDepthMax) {
      fault_ = Fault::too_deep;
      return false;
    }
    in_object_ = lead(at_) == '{';
    ends_[at_] = open_;
    open_ = at_++;
    return true;
  }

  bool leave() {
    if (lead(at_) != (in_object_ ? '}' : ']')) return false;
    const std::uint32_t outer = ends_[open_];
    ends_[open_] = at_++;
    open_ = outer;
    --depth_;
    in_object_ = outer != kNone && lead(outer) == '{';
    return true;
  }

  /// A member's name and colon.
  bool name() {
    if (lead(at_) != '"' || !string()) return false;
    if (lead(++at_) != ':') return false;
    ++at_;
    return true;
  }

  bool scalar() {
    switch (*start()) {
      case '"': return string();
      case 't': return bounded(literal_end(start(), limit(), "true"));
      case 'f': return bounded(literal_end(start(), limit(), "false"));
      case 'n': return bounded(literal_end(start(), limit(), "null"));
      case '-': case '0': case '1': case '2': case '3': case '4':
      case '5': case '6': case '7': case '8': case '9':
        return bounded(number_end(start(), limit()));
      default: return false;
    }
  }

  /// A number or literal that ends at `end` must have white space or the next token behind it.
  bool bounded(const char* end) {
    if (!end || (end != limit() && !is_white_space(*end))) return false;
    ends_[at_] = static_cast<std::uint32_t>(end - text_);
    return true;
  }

  /// Closing quotes are no tokens: this one's is the last byte before the next token, white space
  /// aside. Backslashes are looked for once in the whole text, not in each string.
  bool string() {
    const char* quote = limit() - 1;
    while (*quote != '"') --quote;
    if (quote <= start()) return false;
    const auto end = static_cast<std::uint32_t>(quote - text_);
    if (backslash_ > quote) {
      ends_[at_] = end;
      return true;
    }
    ends_[at_] = end | Tokens::kEscaped;
    return escapes(quote);
  }

  bool escapes(const char* quote) {
    // A backslash before this string belongs to no string, which its token shows sooner or later.
    if (backslash_ < start()) return wrong_at(backslash_);
    if (const char* wrong = wrong_escape(backslash_, quote)) return wrong_at(wrong);
    backslash_ = find_backslash(quote, text_end_);
    return true;
  }

  bool wrong_at(const char* where) {
    wrong_ = where;
    return false;
  }

  const char* text_;
  const char* text_end_;
  const std::uint32_t* starts_;
  std::uint32_t* ends_;
  std::uint32_t count_;
  const char* backslash_;  // the first one not yet walked over
  std::uint32_t at_ = 0;
  std::uint32_t open_ = kNone;
  std::uint32_t depth_ = 0;
  bool in_object_ = false;
  Fault fault_ = Fault::not_json;
  const char* wrong_ = nullptr;  // where the problem is, if not at the token
};

}  // namespace

std::optional<Problem> check_grammar(const Tokens& tokens) { return Walk(tokens).run(); }

}  // namespace json
