#include <array>

#include "fast/crc16.hpp"

namespace fast::crc16 {
namespace {

using Tables = std::array<std::array<std::uint16_t, 256>, 8>;

constexpr std::uint16_t arc_step(std::uint16_t crc) {
  return static_cast<std::uint16_t>((crc & 1) != 0 ? (crc >> 1) ^ 0xa001 : crc >> 1);
}

constexpr std::uint16_t xmodem_step(std::uint16_t crc) {
  return static_cast<std::uint16_t>((crc & 0x8000) != 0 ? (crc << 1) ^ 0x1021 : crc << 1);
}

/// tables[k][b]: what byte b adds to the sum when k more bytes follow it.
constexpr Tables make_arc() {
  Tables tables{};
  for (unsigned b = 0; b < 256; ++b) {
    auto crc = static_cast<std::uint16_t>(b);
    for (int bit = 0; bit < 8; ++bit) crc = arc_step(crc);
    tables[0][b] = crc;
  }
  for (std::size_t k = 1; k < 8; ++k)
    for (unsigned b = 0; b < 256; ++b) {
      const std::uint16_t before = tables[k - 1][b];
      tables[k][b] = static_cast<std::uint16_t>((before >> 8) ^ tables[0][before & 0xff]);
    }
  return tables;
}

constexpr Tables make_xmodem() {
  Tables tables{};
  for (unsigned b = 0; b < 256; ++b) {
    auto crc = static_cast<std::uint16_t>(b << 8);
    for (int bit = 0; bit < 8; ++bit) crc = xmodem_step(crc);
    tables[0][b] = crc;
  }
  for (std::size_t k = 1; k < 8; ++k)
    for (unsigned b = 0; b < 256; ++b) {
      const std::uint16_t before = tables[k - 1][b];
      tables[k][b] = static_cast<std::uint16_t>((before << 8) ^ tables[0][before >> 8]);
    }
  return tables;
}

constexpr Tables kArc = make_arc();
constexpr Tables kXmodem = make_xmodem();

/// A zero byte takes a sum's low byte b away and adds kArc[0][b], all of whose high bytes differ:
/// from the high byte of what came out, which b went in.
constexpr std::array<std::uint8_t, 256> kArcLowByte = [] {
  std::array<std::uint8_t, 256> low{};
  for (unsigned b = 0; b < 256; ++b) low[kArc[0][b] >> 8] = static_cast<std::uint8_t>(b);
  return low;
}();

std::uint16_t rest(const Tables& tables, const unsigned char* at) {
  return static_cast<std::uint16_t>(tables[5][at[2]] ^ tables[4][at[3]] ^ tables[3][at[4]] ^
                                    tables[2][at[5]] ^ tables[1][at[6]] ^ tables[0][at[7]]);
}

}  // namespace

std::uint16_t arc_tables(std::string_view bytes, std::uint16_t crc) {
  const auto* at = reinterpret_cast<const unsigned char*>(bytes.data());
  std::size_t left = bytes.size();
  for (; left >= 8; left -= 8, at += 8)
    crc = static_cast<std::uint16_t>(kArc[7][(crc ^ at[0]) & 0xff] ^ kArc[6][(crc >> 8) ^ at[1]] ^
                                     rest(kArc, at));
  for (; left > 0; --left, ++at)
    crc = static_cast<std::uint16_t>((crc >> 8) ^ kArc[0][(crc ^ *at) & 0xff]);
  return crc;
}

std::uint16_t arc_with_zeros(std::uint16_t crc, std::size_t bytes) {
  for (; bytes > 0; --bytes) crc = static_cast<std::uint16_t>((crc >> 8) ^ kArc[0][crc & 0xff]);
  return crc;
}

std::uint16_t arc_without_zeros(std::uint16_t crc, std::size_t bytes) {
  for (; bytes > 0; --bytes) {
    const std::uint8_t low = kArcLowByte[crc >> 8];
    crc = static_cast<std::uint16_t>((crc ^ kArc[0][low]) << 8 | low);
  }
  return crc;
}

std::uint16_t xmodem_tables(std::string_view bytes, std::uint16_t crc) {
  const auto* at = reinterpret_cast<const unsigned char*>(bytes.data());
  std::size_t left = bytes.size();
  for (; left >= 8; left -= 8, at += 8)
    crc = static_cast<std::uint16_t>(kXmodem[7][(crc >> 8) ^ at[0]] ^
                                     kXmodem[6][(crc & 0xff) ^ at[1]] ^ rest(kXmodem, at));
  for (; left > 0; --left, ++at) crc = xmodem_byte(*at, crc);
  return crc;
}

std::uint16_t xmodem_byte(std::uint8_t byte, std::uint16_t crc) {
  return static_cast<std::uint16_t>((crc << 8) ^ kXmodem[0][(crc >> 8) ^ byte]);
}

}  // namespace fast::crc16
