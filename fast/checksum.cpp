#include "fast/checksum.hpp"

#include "fast/crc16.hpp"
#include "fast/utf8.hpp"

namespace fast {
namespace {

using Sum = std::uint16_t (*)(std::string_view bytes, std::uint16_t crc);

// Chosen once, before main: later calls pay one indirect jump.
const Sum kArc = crc16::folding_available() ? crc16::arc_folding : crc16::arc_tables;
const Sum kXmodem = crc16::folding_available() ? crc16::xmodem_folding : crc16::xmodem_tables;

/// One code point outside ASCII, as UTF-16: each unit's low byte.
std::uint16_t sum_code_point(std::uint32_t code_point, std::uint16_t crc) {
  if (code_point < 0x10000) return crc16::xmodem_byte(static_cast<std::uint8_t>(code_point), crc);
  const std::uint32_t high = 0xd800 + ((code_point - 0x10000) >> 10);
  const std::uint32_t low = 0xdc00 + (code_point & 0x3ff);
  crc = crc16::xmodem_byte(static_cast<std::uint8_t>(high), crc);
  return crc16::xmodem_byte(static_cast<std::uint8_t>(low), crc);
}

}  // namespace

std::uint16_t checksum_v2(std::string_view bytes, std::uint16_t crc) { return kArc(bytes, crc); }

std::optional<std::uint16_t> checksum_v1(std::string_view text, std::uint16_t crc) {
  while (!text.empty()) {
    const std::size_t ascii = utf8::ascii_prefix(text);
    if (ascii > 0) crc = kXmodem(text.substr(0, ascii), crc);
    text.remove_prefix(ascii);
    while (!text.empty() && static_cast<unsigned char>(text.front()) >= 0x80) {
      const auto character = utf8::decode(text);
      if (character.bytes == 0) return std::nullopt;
      crc = sum_code_point(character.code_point, crc);
      text.remove_prefix(character.bytes);
    }
  }
  return crc;
}

std::uint16_t checksum(Version version, std::string_view text, std::uint16_t crc) {
  return version == Version::v1 ? checksum_v1(text, crc).value_or(0) : checksum_v2(text, crc);
}

}  // namespace fast
