#include "objects/etag.hpp"

#include <array>
#include <cstdint>

namespace objects {
namespace {

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? (crc >> 1) ^ 0xedb88320 : crc >> 1;
    table[byte] = crc;
  }
  return table;
}
constexpr auto kTable = make_table();

class Sum {
 public:
  void add(std::uint32_t unit) { crc_ = (crc_ >> 8) ^ kTable[(crc_ ^ unit) & 0xff]; }
  void add_code_point(std::uint32_t code) {
    if (code < 0x10000) return add(code);
    add(0xd800 + ((code - 0x10000) >> 10));
    add(0xdc00 + (code & 0x3ff));
  }
  [[nodiscard]] std::uint32_t get() const { return ~crc_; }

 private:
  std::uint32_t crc_ = 0xffffffff;
};

}  // namespace

std::string etag_of(std::string_view text) {
  Sum sum;
  for (std::size_t i = 0; i < text.size();) {
    const auto first = static_cast<unsigned char>(text[i++]);
    if (first < 0x80) {
      sum.add(first);
      continue;
    }
    std::uint32_t code = first >= 0xf0 ? first & 0x07 : first >= 0xe0 ? first & 0x0f : first & 0x1f;
    while (i < text.size() && (static_cast<unsigned char>(text[i]) & 0xc0) == 0x80)
      code = code << 6 | (static_cast<unsigned char>(text[i++]) & 0x3f);
    sum.add_code_point(code);
  }
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string etag;
  for (int shift = 28; shift >= 0; shift -= 4) etag += kHex[sum.get() >> shift & 15];
  return etag;
}

}  // namespace objects
