#include "fast/utf8.hpp"

#include <cstring>

namespace fast::utf8 {
namespace {

struct Form {
  std::size_t bytes;
  std::uint32_t first_bits;   // mask of the payload in the first byte
  std::uint32_t smallest;     // below this the form is overlong
};

Form form_of(unsigned char first) {
  if (first < 0x80) return {1, 0x7f, 0};
  if (first >= 0xc2 && first < 0xe0) return {2, 0x1f, 0x80};
  if (first >= 0xe0 && first < 0xf0) return {3, 0x0f, 0x800};
  if (first >= 0xf0 && first < 0xf5) return {4, 0x07, 0x10000};
  return {0, 0, 0};
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
  constexpr std::uint64_t kHighBits = 0x8080808080808080;
  std::size_t done = 0;
  for (; done + 32 <= text.size(); done += 32) {
    std::uint64_t words[4];
    std::memcpy(words, text.data() + done, sizeof words);
    if (((words[0] | words[1] | words[2] | words[3]) & kHighBits) != 0) break;
  }
  while (done < text.size() && static_cast<unsigned char>(text[done]) < 0x80) ++done;
  return done;
}

}  // namespace fast::utf8
