#include "ring/big_number.hpp"

#include <bit>
#include <compare>

namespace ring {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

BigNumber BigNumber::from_bytes(std::span<const std::uint8_t> bytes) {
  BigNumber number;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    number.words_[i / 4] |= static_cast<std::uint32_t>(bytes[bytes.size() - 1 - i])
                            << (8 * (i % 4));
  return number;
}

std::optional<BigNumber> BigNumber::from_hex(std::string_view hex) {
  while (hex.size() > 1 && hex.front() == '0') hex.remove_prefix(1);
  if (hex.empty() || hex.size() > 64) return std::nullopt;
  BigNumber number;
  for (std::size_t i = 0; i < hex.size(); ++i) {
    const int digit = hex_digit(hex[hex.size() - 1 - i]);
    if (digit < 0) return std::nullopt;
    number.words_[i / 8] |= static_cast<std::uint32_t>(digit) << (4 * (i % 8));
  }
  return number;
}

BigNumber BigNumber::ones(unsigned bits) {
  BigNumber number;
  for (unsigned i = 0; i < bits / 32; ++i) number.words_[i] = 0xffffffff;
  return number;
}

std::string BigNumber::even_hex() const {
  static constexpr char kDigits[] = "0123456789abcdef";
  const unsigned bytes = std::max(1u, (bit_length() + 7) / 8);
  std::string hex;
  for (unsigned i = bytes; i-- > 0;) {
    const std::uint32_t byte = words_[i / 4] >> (8 * (i % 4)) & 0xff;
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 15];
  }
  return hex;
}

bool BigNumber::is_zero() const { return bit_length() == 0; }

unsigned BigNumber::bit_length() const {
  for (std::size_t i = kWords; i-- > 0;)
    if (words_[i] != 0) return static_cast<unsigned>(32 * i) + std::bit_width(words_[i]);
  return 0;
}

std::uint64_t BigNumber::bits_from(unsigned low) const {
  const auto word = [this](std::size_t i) { return i < kWords ? words_[i] : 0u; };
  const std::size_t first = low / 32;
  const unsigned shift = low % 32;
  std::uint64_t bits = word(first) | static_cast<std::uint64_t>(word(first + 1)) << 32;
  if (shift == 0) return bits;
  return bits >> shift | static_cast<std::uint64_t>(word(first + 2)) << (64 - shift);
}

BigNumber BigNumber::times(std::uint64_t factor) const {
  BigNumber product;
  __extension__ unsigned __int128 carry = 0;
  for (std::size_t i = 0; i < kWords; ++i) {
    carry += static_cast<decltype(carry)>(words_[i]) * factor;
    product.words_[i] = static_cast<std::uint32_t>(carry);
    carry >>= 32;
  }
  return product;
}

BigNumber BigNumber::divided_by(std::uint32_t divisor) const {
  BigNumber quotient;
  std::uint64_t rest = 0;
  for (std::size_t i = kWords; i-- > 0;) {
    rest = rest << 32 | words_[i];
    quotient.words_[i] = static_cast<std::uint32_t>(rest / divisor);
    rest %= divisor;
  }
  return quotient;
}

std::strong_ordering BigNumber::operator<=>(const BigNumber& other) const {
  for (std::size_t i = kWords; i-- > 0;)
    if (words_[i] != other.words_[i]) return words_[i] <=> other.words_[i];
  return std::strong_ordering::equal;
}

}  // namespace ring
