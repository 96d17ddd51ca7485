#include "fast/checksum.hpp"

#include <array>

#include "fast/crc16.hpp"
#include "fast/utf8.hpp"

namespace fast {
namespace {

using Sum = std::uint16_t (*)(std::string_view bytes, std::uint16_t crc);

// Chosen once, before main: later calls pay one indirect jump.
const Sum kArc = crc16::folding_available() ? crc16::arc_folding : crc16::arc_tables;
const Sum kXmodem = crc16::folding_available() ? crc16::xmodem_folding : crc16::xmodem_tables;

/// The bytes that version 1 sums are made a buffer at a time, so that they are summed as fast as
/// ASCII is.
std::optional<std::uint16_t> sum_narrowed(std::string_view text, std::uint16_t crc) {
  std::array<char, 1024> units;
  while (!text.empty()) {
    const auto narrowed = utf8::narrow(text, units);
    if (!narrowed) return std::nullopt;
    crc = kXmodem({units.data(), narrowed->bytes_written}, crc);
    text.remove_prefix(narrowed->bytes_read);
  }
  return crc;
}

}  // namespace

std::uint16_t checksum_v2(std::string_view bytes, std::uint16_t crc) { return kArc(bytes, crc); }

std::uint16_t checksum_v2_of_new_end(std::uint16_t whole, std::string_view old_end,
                                     std::span<const std::string_view> new_end) {
  std::size_t bytes = 0;
  std::uint16_t sum = 0;
  for (const std::string_view piece : new_end) {
    sum = kArc(piece, sum);
    bytes += piece.size();
  }
  // What the beginning adds, were its end all zeros.
  const auto beginning = static_cast<std::uint16_t>(whole ^ kArc(old_end, 0));
  return sum ^
         (bytes >= old_end.size() ? crc16::arc_with_zeros(beginning, bytes - old_end.size())
                                  : crc16::arc_without_zeros(beginning, old_end.size() - bytes));
}

std::optional<std::uint16_t> checksum_v1(std::string_view text, std::uint16_t crc) {
  const std::size_t ascii = utf8::ascii_prefix(text);
  crc = kXmodem(text.substr(0, ascii), crc);
  if (ascii == text.size()) return crc;
  return sum_narrowed(text.substr(ascii), crc);
}

std::uint16_t checksum(Version version, std::string_view text, std::uint16_t crc) {
  return version == Version::v1 ? checksum_v1(text, crc).value_or(0) : checksum_v2(text, crc);
}

}  // namespace fast
