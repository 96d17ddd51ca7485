#include "objects/text.hpp"

#include <locale.h>
#include <algorithm>
#include <clocale>
#include <cwctype>

namespace objects::text {
namespace {

bool is_surrogate(std::string_view text, std::size_t at) {
  return static_cast<unsigned char>(text[at]) == 0xed && at + 2 < text.size() &&
         static_cast<unsigned char>(text[at + 1]) >= 0xa0;
}

std::uint32_t decode(std::string_view text, std::size_t& at) {
  const auto first = static_cast<unsigned char>(text[at++]);
  if (first < 0x80) return first;
  std::uint32_t code = first >= 0xf0   ? first & 0x07u
                       : first >= 0xe0 ? first & 0x0fu
                                       : first & 0x1fu;
  while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80)
    code = code << 6 | (static_cast<unsigned char>(text[at++]) & 0x3fu);
  return code;
}

char lower_byte(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

/// Made at first use and never freed; null where the system has no C.UTF-8.
locale_t unicode_locale() {
  static const locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  return locale;
}

std::uint32_t lower_code_point(std::uint32_t code) {
  const locale_t locale = unicode_locale();
  if (locale == nullptr) return code;
  return static_cast<std::uint32_t>(towlower_l(static_cast<wint_t>(code), locale));
}

/// Ranks a UTF-8 byte so that byte order becomes UTF-16 order: code points above U+FFFF are
/// written with surrogates (D800 to DFFF) and so come before U+E000 to U+FFFF.
unsigned utf16_rank(unsigned char byte) { return byte >= 0xf0 ? 0xedu * 2 + 1 : byte * 2u; }

}  // namespace

void append_code_point(std::string& out, std::uint32_t code) {
  const auto put = [&out](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xc0 | code >> 6);
  } else {
    if (code < 0x10000) {
      put(0xe0 | code >> 12);
    } else {
      put(0xf0 | code >> 18);
      put(0x80 | (code >> 12 & 0x3f));
    }
    put(0x80 | (code >> 6 & 0x3f));
  }
  put(0x80 | (code & 0x3f));
}

std::string well_formed(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!is_surrogate(text, i)) {
      out += text[i];
      continue;
    }
    out += "\xef\xbf\xbd";
    i += 2;
  }
  return out;
}

std::string lower_ascii(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), lower_byte);
  return out;
}

std::string lower(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const std::uint32_t code = decode(text, i);
    append_code_point(out, code < 0x80
                               ? static_cast<unsigned char>(lower_byte(static_cast<char>(code)))
                               : lower_code_point(code));
  }
  return out;
}

int compare_utf16(std::string_view a, std::string_view b) {
  const auto [x, y] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (x == a.end() || y == b.end())
    return static_cast<int>(y == b.end()) - static_cast<int>(x == a.end());
  const auto first = static_cast<unsigned char>(*x);
  const auto second = static_cast<unsigned char>(*y);
  const int ranked = static_cast<int>(utf16_rank(first)) - static_cast<int>(utf16_rank(second));
  return ranked != 0 ? ranked : static_cast<int>(first) - static_cast<int>(second);
}

}  // namespace objects::text
