#include "fast/utf8.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace fast::utf8 {
namespace {

constexpr std::uint64_t kHighBits = 0x8080808080808080;
constexpr std::size_t kWordBytes = sizeof(std::uint64_t);

struct Form {
  std::size_t bytes;
  std::uint32_t first_bits;  // mask of the payload in the first byte
  std::uint32_t smallest;    // below this the form is overlong
};

Form form_of(unsigned char first) {
  if (first < 0x80) return {1, 0x7f, 0};
  if (first >= 0xc2 && first < 0xe0) return {2, 0x1f, 0x80};
  if (first >= 0xe0 && first < 0xf0) return {3, 0x0f, 0x800};
  if (first >= 0xf0 && first < 0xf5) return {4, 0x07, 0x10000};
  return {0, 0, 0};
}

std::uint64_t load_word(const char* at) {
  std::uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

/// How many ASCII bytes a word read from memory begins with.
std::size_t ascii_bytes(std::uint64_t word) {
  const std::uint64_t high = word & kHighBits;
  const int zeros =
      std::endian::native == std::endian::little ? std::countr_zero(high) : std::countl_zero(high);
  return static_cast<std::size_t>(zeros) / 8;
}

/// Copies the ASCII bytes that the text begins with, at most one word; `out` has a word's room.
std::size_t copy_ascii(std::string_view text, char* out) {
  if (text.size() >= kWordBytes) {
    std::memcpy(out, text.data(), kWordBytes);
    return ascii_bytes(load_word(text.data()));
  }
  std::size_t done = 0;
  for (; done < text.size() && static_cast<unsigned char>(text[done]) < 0x80; ++done)
    out[done] = text[done];
  return done;
}

/// Returns how many bytes it wrote: a code point above U+FFFF is two UTF-16 units, 0xd800 + its
/// high 10 bits less 0x10000 and 0xdc00 + its low 10 bits.
std::size_t write_units(std::uint32_t code_point, char* out) {
  if (code_point < 0x10000) {
    out[0] = static_cast<char>(code_point);
    return 1;
  }
  out[0] = static_cast<char>((code_point - 0x10000) >> 10);
  out[1] = static_cast<char>(code_point);
  return 2;
}

}  // namespace

Character decode(std::string_view text) {
  const Form form = form_of(static_cast<unsigned char>(text.front()));
  if (form.bytes == 0 || text.size() < form.bytes) return {};
  std::uint32_t code_point = static_cast<unsigned char>(text.front()) & form.first_bits;
  for (std::size_t i = 1; i < form.bytes; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xc0) != 0x80) return {};
    code_point = code_point << 6 | (byte & 0x3f);
  }
  const bool surrogate = code_point >= 0xd800 && code_point < 0xe000;
  if (code_point < form.smallest || code_point > 0x10ffff || surrogate) return {};
  return {code_point, form.bytes};
}

std::size_t ascii_prefix(std::string_view text) {
  std::size_t done = 0;
  for (; done + 64 <= text.size(); done += 64) {
    std::uint64_t words[8];
    std::memcpy(words, text.data() + done, sizeof words);
    const std::uint64_t all =
        (words[0] | words[1] | words[2] | words[3]) | (words[4] | words[5] | words[6] | words[7]);
    if ((all & kHighBits) != 0) break;
  }
  for (; done + kWordBytes <= text.size(); done += kWordBytes) {
    const std::size_t ascii = ascii_bytes(load_word(text.data() + done));
    if (ascii < kWordBytes) return done + ascii;
  }
  while (done < text.size() && static_cast<unsigned char>(text[done]) < 0x80) ++done;
  return done;
}

std::optional<Narrowed> narrow(std::string_view text, std::span<char> out) {
  std::size_t read = 0;
  std::size_t written = 0;
  while (read < text.size() && out.size() - written >= kNarrowBytesMin) {
    const std::size_t ascii = copy_ascii(text.substr(read), out.data() + written);
    read += ascii;
    written += ascii;
    // A text in another script has characters outside ASCII in a row; each is at most two units.
    while (read < text.size() && static_cast<unsigned char>(text[read]) >= 0x80 &&
           out.size() - written >= 2) {
      const Character character = decode(text.substr(read));
      if (character.bytes == 0) return std::nullopt;
      written += write_units(character.code_point, out.data() + written);
      read += character.bytes;
    }
  }
  return Narrowed{read, written};
}

}  // namespace fast::utf8
