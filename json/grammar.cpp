#include "json/grammar.hpp"

#include <cstring>

// The walk takes about one nanosecond a token only with its state in registers.
#define HOT [[gnu::always_inline]] inline
#define COLD [[gnu::noinline]]

namespace json {
namespace {

constexpr std::uint32_t kNone = 0xffffffff;

HOT bool is_digit(char byte) { return static_cast<unsigned char>(byte - '0') < 10; }

bool is_hex_digit(char byte) {
  return is_digit(byte) || static_cast<unsigned char>((byte | 0x20) - 'a') < 6;
}

/// True when all eight bytes are digits: the high half of each is 3, and still is after adding 6.
HOT bool are_digits(std::uint64_t bytes) {
  constexpr std::uint64_t high_halves = 0xf0f0f0f0f0f0f0f0;
  constexpr std::uint64_t threes = 0x3030303030303030;
  constexpr std::uint64_t sixes = 0x0606060606060606;
  return (bytes & high_halves) == threes && ((bytes + sixes) & high_halves) == threes;
}

HOT const char* skip_digits(const char* at, const char* end) {
  for (std::uint64_t eight; end - at >= 8; at += 8) {
    std::memcpy(&eight, at, sizeof eight);
    if (!are_digits(eight)) break;
  }
  while (at != end && is_digit(*at)) ++at;
  return at;
}

/// Behind the number that begins at `at`; nullptr when none does.
HOT const char* number_end(const char* at, const char* end) {
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

HOT bool stands_at(const char* at, const char* end, std::string_view literal) {
  return static_cast<std::size_t>(end - at) >= literal.size() &&
         std::memcmp(at, literal.data(), literal.size()) == 0;
}

/// Behind the literal that begins at `at`; nullptr when none does.
HOT const char* literal_end(const char* at, const char* end) {
  if (stands_at(at, end, "true") || stands_at(at, end, "null")) return at + 4;
  return stands_at(at, end, "false") ? at + 5 : nullptr;
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
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't': return at + 2;
    case 'u':
      if (end - at < 6) return nullptr;
      for (int digit = 2; digit < 6; ++digit)
        if (!is_hex_digit(at[digit])) return nullptr;
      return at + 6;
    default: return nullptr;
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

/// One string's escapes, checked: either the first wrong one, or the text's next backslash.
struct Escapes {
  const char* wrong = nullptr;
  const char* next_backslash = nullptr;
};

COLD Escapes check_escapes(const char* backslash, const char* begin, const char* quote,
                           const char* text_end) {
  // A backslash before this string belongs to none: the token that it is in is wrong too.
  if (backslash < begin) return {.wrong = backslash};
  if (const char* wrong = wrong_escape(backslash, quote)) return {.wrong = wrong};
  return {.next_backslash = find_backslash(quote, text_end)};
}

/// One walk over the tokens. Open brackets are chained through their `ends`, so that no stack is
/// needed. All of it is inlined into check_grammar, which keeps the state in registers.
class Walk {
 public:
  HOT explicit Walk(const Tokens& tokens)
      : text_(tokens.text.data()), text_end_(text_ + tokens.text.size()), starts_(tokens.starts),
        ends_(tokens.ends), count_(tokens.count), backslash_(find_backslash(text_, text_end_)),
        here_(text_ + starts_[0]) {}

  HOT std::optional<Problem> run() {
    const bool correct = opens(*here_) ? container() : scalar() && at_ == count_;
    if (correct) return std::nullopt;
    return Problem{fault_, static_cast<std::size_t>((wrong_ ? wrong_ : here_) - text_)};
  }

 private:
  static bool opens(char byte) { return byte == '{' || byte == '['; }
  static bool closes(char byte) { return byte == '}' || byte == ']'; }
  /// '}' for '{' and ']' for '[': two further in ASCII.
  static char closer_of(char opener) { return static_cast<char>(opener + 2); }

  HOT const char* start_of(std::uint32_t token) const { return text_ + starts_[token]; }
  HOT std::uint32_t offset_of(const char* byte) const {
    return static_cast<std::uint32_t>(byte - text_);
  }
  HOT void advance() { here_ = start_of(++at_); }

  /// Walks the outermost array or object. Its last token closes a bracket, which is neither a
  /// value, a name, a colon nor a comma: so the token behind one of those always exists.
  HOT bool container() {
    if (!closes(*start_of(count_ - 1))) return wrong_at(start_of(count_ - 1));
    for (;;) {
      if (opens(*here_)) {
        if (!enter()) return false;
        if (!closes(*here_)) {
          if (closer_ == '}' && !name()) return false;
          continue;
        }
      } else if (!scalar()) {
        return false;
      }
      while (*here_ != ',') {
        if (!leave()) return false;
        if (at_ == count_) return open_ == kNone;
        if (open_ == kNone) return false;
      }
      advance();
      if (closer_ == '}' && !name()) return false;
    }
  }

  HOT bool enter() {
    if (++depth_ > kDepthMax) {
      fault_ = Fault::too_deep;
      return false;
    }
    closer_ = closer_of(*here_);
    ends_[at_] = open_;
    open_ = at_;
    advance();
    return true;
  }

  HOT bool leave() {
    if (*here_ != closer_) return false;
    const std::uint32_t outer = ends_[open_];
    ends_[open_] = at_;
    open_ = outer;
    --depth_;
    if (outer != kNone) closer_ = closer_of(*start_of(outer));
    advance();
    return true;
  }

  /// A member's name and colon.
  HOT bool name() {
    if (*here_ != '"' || !string() || *here_ != ':') return false;
    advance();
    return true;
  }

  HOT bool scalar() { return *here_ == '"' ? string() : number_or_literal(); }

  /// Closing quotes are no tokens: this one's is the last byte before the next token, white space
  /// aside. Backslashes are looked for once in the whole text, not in each string.
  HOT bool string() {
    const char* next = start_of(at_ + 1);
    const char* quote = next - 1;
    while (*quote != '"') --quote;
    if (quote == here_) return false;
    std::uint32_t end = offset_of(quote);
    if (backslash_ <= quote) [[unlikely]] {
      const Escapes escapes = check_escapes(backslash_, here_, quote, text_end_);
      if (escapes.wrong) return wrong_at(escapes.wrong);
      backslash_ = escapes.next_backslash;
      end |= Tokens::kEscaped;
    }
    ends_[at_++] = end;
    here_ = next;
    return true;
  }

  HOT bool number_or_literal() {
    const char* next = start_of(at_ + 1);
    const char* end =
        *here_ == '-' || is_digit(*here_) ? number_end(here_, next) : literal_end(here_, next);
    // White space or the next token must stand behind a number or literal.
    if (!end || (end != next && !is_white_space(*end))) return false;
    ends_[at_++] = offset_of(end);
    here_ = next;
    return true;
  }

  HOT bool wrong_at(const char* where) {
    wrong_ = where;
    return false;
  }

  const char* text_;
  const char* text_end_;
  const std::uint32_t* starts_;
  std::uint32_t* ends_;
  std::uint32_t count_;
  const char* backslash_;  // the first one not yet walked over
  std::uint32_t at_ = 0;   // the token that the walk has come to
  const char* here_;       // where that token begins
  std::uint32_t open_ = kNone;
  std::uint32_t depth_ = 0;
  char closer_ = 0;  // of the innermost open bracket
  Fault fault_ = Fault::not_json;
  const char* wrong_ = nullptr;  // where the problem is, if not at the token
};

}  // namespace

std::optional<Problem> check_grammar(const Tokens& tokens) { return Walk(tokens).run(); }

}  // namespace json
