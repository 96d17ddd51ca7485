#include "json/text.hpp"

#include <cstdint>

namespace json {
namespace {

constexpr std::uint32_t kReplacement = 0xfffd;

std::uint32_t hex4(std::string_view text) {
  std::uint32_t number = 0;
  for (const char c : text.substr(0, 4)) {
    const int digit = c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
    number = number << 4 | static_cast<std::uint32_t>(digit);
  }
  return number;
}

void append_utf8(std::string& out, std::uint32_t code_point) {
  const auto put = [&out](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xc0 | code_point >> 6);
    put(0x80 | (code_point & 0x3f));
  } else if (code_point < 0x10000) {
    put(0xe0 | code_point >> 12);
    put(0x80 | (code_point >> 6 & 0x3f));
    put(0x80 | (code_point & 0x3f));
  } else {
    put(0xf0 | code_point >> 18);
    put(0x80 | (code_point >> 12 & 0x3f));
    put(0x80 | (code_point >> 6 & 0x3f));
    put(0x80 | (code_point & 0x3f));
  }
}

bool is_high(std::uint32_t unit) { return unit >= 0xd800 && unit < 0xdc00; }
bool is_low(std::uint32_t unit) { return unit >= 0xdc00 && unit < 0xe000; }

/// `raw` begins behind `\u`. Returns how many bytes were used.
std::size_t append_unicode_escape(std::string& out, std::string_view raw) {
  const std::uint32_t unit = hex4(raw);
  if (is_high(unit) && raw.size() >= 10 && raw[4] == '\\' && raw[5] == 'u') {
    const std::uint32_t next = hex4(raw.substr(6));
    if (is_low(next)) {
      append_utf8(out, 0x10000 + ((unit - 0xd800) << 10) + (next - 0xdc00));
      return 10;
    }
  }
  append_utf8(out, is_high(unit) || is_low(unit) ? kReplacement : unit);
  return 4;
}

char simple_escape(char c) {
  switch (c) {
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return c;  // quote, backslash, slash
  }
}

}  // namespace

void unescape(std::string_view raw, std::string& out) {
  out.clear();
  while (!raw.empty()) {
    const std::size_t plain = raw.find('\\');
    out.append(raw.substr(0, plain));
    if (plain == std::string_view::npos) return;
    const char escape = raw[plain + 1];
    raw.remove_prefix(plain + 2);
    if (escape == 'u')
      raw.remove_prefix(append_unicode_escape(out, raw));
    else
      out += simple_escape(escape);
  }
}

bool unescaped_equals(std::string_view raw, std::string_view wanted) {
  if (raw.size() == wanted.size()) {
    if (raw == wanted) return raw.find('\\') == std::string_view::npos;
    return false;  // escapes only ever shorten
  }
  if (raw.size() < wanted.size() || raw.find('\\') == std::string_view::npos) return false;
  std::string plain;
  unescape(raw, plain);
  return plain == wanted;
}

}  // namespace json
