#include "objects/etag.hpp"

#include <cstdint>
#include <cstring>

#include <zlib.h>

namespace objects {
namespace {

/// CRC-32 over a text's UTF-16 code units, of each the lower byte.
class Sum {
 public:
  void add(const char* bytes, std::size_t size) {
    crc_ = crc32_z(crc_, reinterpret_cast<const Bytef*>(bytes), size);
  }
  void add_code_point(std::uint32_t code) {
    if (code >= 0x10000) {
      add_unit(0xd800 + ((code - 0x10000) >> 10));
      code = 0xdc00 + (code & 0x3ff);
    }
    add_unit(code);
  }
  [[nodiscard]] std::uint32_t get() const { return static_cast<std::uint32_t>(crc_); }

 private:
  void add_unit(std::uint32_t unit) {
    const char byte = static_cast<char>(unit & 0xff);
    add(&byte, 1);
  }
  uLong crc_ = 0;
};

/// How many bytes from there on are ASCII.
std::size_t ascii_run(std::string_view text) {
  std::size_t size = 0;
  for (std::uint64_t eight = 0; size + 8 <= text.size(); size += 8) {
    std::memcpy(&eight, text.data() + size, 8);
    if ((eight & 0x8080808080808080u) != 0) break;
  }
  while (size < text.size() && static_cast<unsigned char>(text[size]) < 0x80) ++size;
  return size;
}

}  // namespace

std::string etag_of(std::string_view text) {
  Sum sum;
  for (std::size_t i = 0; i < text.size();) {
    if (const std::size_t run = ascii_run(text.substr(i)); run > 0) {
      sum.add(text.data() + i, run);
      i += run;
      continue;
    }
    const auto first = static_cast<unsigned char>(text[i++]);
    std::uint32_t code = first >= 0xf0 ? first & 0x07 : first >= 0xe0 ? first & 0x0f : first & 0x1f;
    while (i < text.size() && (static_cast<unsigned char>(text[i]) & 0xc0) == 0x80)
      code = code << 6 | (static_cast<unsigned char>(text[i++]) & 0x3f);
    sum.add_code_point(code);
  }
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string etag;
  const std::uint32_t crc = sum.get();
  for (int shift = 28; shift >= 0; shift -= 4) etag += kHex[crc >> shift & 15];
  return etag;
}

}  // namespace objects
