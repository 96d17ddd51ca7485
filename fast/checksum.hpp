#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "fast/frame.hpp"

namespace fast {

/// Version 2's checksum: CRC-16/ARC (reflected 0xA001, initial value 0) over the bytes.
/// `crc` continues an earlier call, so a payload in pieces is summed piece by piece.
/// Uses PCLMULQDQ where the processor has it, slicing tables elsewhere; chosen once at start.
/// Any thread. O(bytes).
std::uint16_t checksum_v2(std::string_view bytes, std::uint16_t crc = 0);

/// Version 2's checksum of a text whose end was replaced, from the one that it had: the sum is
/// linear, so that what lies before need not be read again. Any thread. O(both ends' bytes).
std::uint16_t checksum_v2_of_new_end(std::uint16_t whole, std::string_view old_end,
                                     std::span<const std::string_view> new_end);

/// Version 1's checksum: CRC-16/XMODEM fed with the low 8 bits of each UTF-16 code unit of the
/// text. Pieces must end at character boundaries. nullopt: `text` is not valid UTF-8.
/// ASCII takes a fast path. Any thread. O(bytes).
std::optional<std::uint16_t> checksum_v1(std::string_view text, std::uint16_t crc = 0);

/// The checksum that `version` asks for; `text` must be valid UTF-8.
std::uint16_t checksum(Version version, std::string_view text, std::uint16_t crc = 0);

}  // namespace fast
