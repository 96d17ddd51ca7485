#include "json/text.hpp"

#include <array>
#include <cstdint>
#include <cstring>

namespace json {
namespace {

constexpr std::uint32_t kReplacement = 0xfffd;

bool is_high_surrogate(std::uint32_t unit) { return (unit & 0xfc00) == 0xd800; }
bool is_surrogate(std::uint32_t unit) { return (unit & 0xf800) == 0xd800; }
bool is_low_surrogate(std::uint32_t unit) { return (unit & 0xfc00) == 0xdc00; }

std::uint32_t hex_value(char digit) {
  return digit <= '9' ? static_cast<std::uint32_t>(digit - '0')
                      : static_cast<std::uint32_t>((digit | 0x20) - 'a' + 10);
}

std::uint32_t code_unit(const char* digits) {
  return hex_value(digits[0]) << 12 | hex_value(digits[1]) << 8 | hex_value(digits[2]) << 4 |
         hex_value(digits[3]);
}

char simple_escape(char letter) {
  switch (letter) {
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return letter;  // quote, backslash, slash
  }
}

struct Utf8 {
  std::array<char, 4> bytes;
  std::size_t size;
  [[nodiscard]] std::string_view view() const { return {bytes.data(), size}; }
};

Utf8 utf8_of(std::uint32_t point) {
  const auto tail = [point](int shift) {
    return static_cast<char>(0x80 | (point >> shift & 0x3f));
  };
  if (point < 0x80) return {{static_cast<char>(point)}, 1};
  if (point < 0x800) return {{static_cast<char>(0xc0 | point >> 6), tail(0)}, 2};
  if (point < 0x10000) return {{static_cast<char>(0xe0 | point >> 12), tail(6), tail(0)}, 3};
  return {{static_cast<char>(0xf0 | point >> 18), tail(12), tail(6), tail(0)}, 4};
}

/// Takes the \uXXXX escape, or the pair of them, off the front of `raw`.
std::uint32_t take_code_point(std::string_view& raw) {
  const std::uint32_t unit = code_unit(raw.data() + 2);
  raw.remove_prefix(6);
  if (!is_surrogate(unit)) return unit;
  if (!is_high_surrogate(unit) || raw.size() < 6 || raw[0] != '\\' || raw[1] != 'u')
    return kReplacement;
  const std::uint32_t low = code_unit(raw.data() + 2);
  if (!is_low_surrogate(low)) return kReplacement;
  raw.remove_prefix(6);
  return 0x10000 + ((unit & 0x3ff) << 10 | (low & 0x3ff));
}

/// Takes the escape off the front of `raw`.
Utf8 take_escape(std::string_view& raw) {
  if (raw[1] == 'u') return utf8_of(take_code_point(raw));
  const char byte = simple_escape(raw[1]);
  raw.remove_prefix(2);
  return {{byte}, 1};
}

/// Takes what stands before the first backslash off the front of `raw`.
std::string_view take_plain(std::string_view& raw) {
  const void* found = raw.empty() ? nullptr : std::memchr(raw.data(), '\\', raw.size());
  const std::size_t size =
      found ? static_cast<std::size_t>(static_cast<const char*>(found) - raw.data()) : raw.size();
  const std::string_view plain = raw.substr(0, size);
  raw.remove_prefix(size);
  return plain;
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

bool needs_escape(char byte) {
  return static_cast<unsigned char>(byte) < 0x20 || byte == '"' || byte == '\\';
}

}  // namespace

void append_escape(std::string& out, char byte) {
  constexpr std::string_view digits = "0123456789abcdef";
  out += '\\';
  switch (byte) {
    case '"':
    case '\\': out += byte; return;
    case '\b': out += 'b'; return;
    case '\f': out += 'f'; return;
    case '\n': out += 'n'; return;
    case '\r': out += 'r'; return;
    case '\t': out += 't'; return;
    default:
      out += "u00";
      out += digits[static_cast<unsigned char>(byte) >> 4];
      out += digits[static_cast<unsigned char>(byte) & 15];
  }
}

void unescape(std::string_view raw, std::string& out) {
  out.clear();
  out.append(take_plain(raw));
  while (!raw.empty()) {
    out.append(take_escape(raw).view());
    out.append(take_plain(raw));
  }
}

bool unescaped_equals(std::string_view raw, std::string_view wanted) {
  if (raw.size() < wanted.size()) return false;  // no escape is shorter than what it stands for
  if (!take_prefix(wanted, take_plain(raw))) return false;
  while (!raw.empty()) {
    if (!take_prefix(wanted, take_escape(raw).view())) return false;
    if (!take_prefix(wanted, take_plain(raw))) return false;
  }
  return wanted.empty();
}

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  std::size_t plain_from = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (!needs_escape(text[at])) continue;
    out.append(text, plain_from, at - plain_from);
    append_escape(out, text[at]);
    plain_from = at + 1;
  }
  out.append(text, plain_from);
  out += '"';
}

}  // namespace json
