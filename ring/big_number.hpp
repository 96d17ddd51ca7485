#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace ring {

/// An unsigned number of up to 320 bits: room for 256 bits times a vnode count. Pure.
class BigNumber {
 public:
  BigNumber() = default;
  /// Big-endian bytes, at most 40.
  static BigNumber from_bytes(std::span<const std::uint8_t> bytes);
  /// Hexadecimal of either case; nullopt: empty, too long, or not hexadecimal.
  static std::optional<BigNumber> from_hex(std::string_view hex);
  /// 2^bits - 1; bits at most 256 and a multiple of 32.
  static BigNumber ones(unsigned bits);

  /// Lower-case hex, padded to an even number of digits, as node-fash prints intervals.
  [[nodiscard]] std::string even_hex() const;
  [[nodiscard]] bool is_zero() const;
  /// The bits from `low` to `low + 63`.
  [[nodiscard]] std::uint64_t bits_from(unsigned low) const;
  /// The number of the highest bit set plus one; 0 for zero.
  [[nodiscard]] unsigned bit_length() const;

  [[nodiscard]] BigNumber times(std::uint64_t factor) const;
  [[nodiscard]] BigNumber divided_by(std::uint32_t divisor) const;

  std::strong_ordering operator<=>(const BigNumber& other) const;
  bool operator==(const BigNumber&) const = default;

 private:
  static constexpr std::size_t kWords = 10;
  std::array<std::uint32_t, kWords> words_{};  // the lowest first
};

}  // namespace ring
