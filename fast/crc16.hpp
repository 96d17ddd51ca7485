#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

/// The two CRC-16s behind Fast's checksums, each in two ways. Pure; any thread; O(bytes).
/// ARC: reflected, polynomial 0x8005. XMODEM: not reflected, polynomial 0x1021. Both start from 0
/// and have no final xor, so a result continues as the next call's `crc`.
namespace fast::crc16 {

/// Slicing by eight: eight table look-ups for eight bytes, on every processor.
std::uint16_t arc_tables(std::string_view bytes, std::uint16_t crc);
std::uint16_t xmodem_tables(std::string_view bytes, std::uint16_t crc);
std::uint16_t xmodem_byte(std::uint8_t byte, std::uint16_t crc);

/// The sum of a text to whose end `bytes` zero bytes were added, or from which they were taken.
std::uint16_t arc_with_zeros(std::uint16_t crc, std::size_t bytes);
std::uint16_t arc_without_zeros(std::uint16_t crc, std::size_t bytes);

/// Folding by carry-less multiplication (PCLMULQDQ), 64 bytes a step. Only where
/// folding_available(). Source: Gopal et al., "Fast CRC Computation for Generic Polynomials Using
/// PCLMULQDQ Instruction", Intel 2009.
bool folding_available();
std::uint16_t arc_folding(std::string_view bytes, std::uint16_t crc);
std::uint16_t xmodem_folding(std::string_view bytes, std::uint16_t crc);

}  // namespace fast::crc16
