#include "fast/crc16.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace fast::crc16 {

#if defined(__x86_64__)
#define MORAY_ROUTER_FOLDING __attribute__((target("pclmul,ssse3,sse4.1")))

namespace {

constexpr std::uint32_t kArcPolynomial = 0x18005;
constexpr std::uint32_t kXmodemPolynomial = 0x11021;
constexpr std::size_t kFoldedBytesMin = 32;  // shorter texts are faster by tables

/// x^power mod polynomial (degree 16).
constexpr std::uint64_t power_of_x(unsigned power, std::uint32_t polynomial) {
  std::uint32_t rest = 1;
  for (unsigned i = 0; i < power; ++i) {
    rest <<= 1;
    if ((rest & 0x10000) != 0) rest ^= polynomial;
  }
  return rest;
}

constexpr std::uint64_t reflected(std::uint64_t bits) {
  std::uint64_t result = 0;
  for (int i = 0; i < 64; ++i)
    if ((bits >> i & 1) != 0) result |= std::uint64_t{1} << (63 - i);
  return result;
}

// Moving a 128-bit register by n bits: the part of higher powers is multiplied by x^(n+64), the
// other by x^n, mod the polynomial. Reflected operands make a product that is one power too high,
// which is why those constants have one less.
constexpr std::uint64_t arc_constant(unsigned power) {
  return reflected(power_of_x(power - 1, kArcPolynomial));
}
constexpr std::uint64_t xmodem_constant(unsigned power) {
  return power_of_x(power, kXmodemPolynomial);
}

MORAY_ROUTER_FOLDING __m128i constants(std::uint64_t high, std::uint64_t low) {
  return _mm_set_epi64x(static_cast<long long>(high), static_cast<long long>(low));
}

MORAY_ROUTER_FOLDING __m128i fold(__m128i sum, __m128i by, __m128i next) {
  const __m128i low = _mm_clmulepi64_si128(sum, by, 0x00);
  const __m128i high = _mm_clmulepi64_si128(sum, by, 0x11);
  return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

MORAY_ROUTER_FOLDING __m128i load(const char* at) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
}

MORAY_ROUTER_FOLDING __m128i swapped(__m128i bytes) {
  return _mm_shuffle_epi8(bytes, _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
}

}  // namespace

bool folding_available() {
  return __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("ssse3") &&
         __builtin_cpu_supports("sse4.1");
}

MORAY_ROUTER_FOLDING std::uint16_t arc_folding(std::string_view bytes, std::uint16_t crc) {
  if (bytes.size() < kFoldedBytesMin) return arc_tables(bytes, crc);
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  __m128i sum = _mm_xor_si128(load(at), _mm_cvtsi32_si128(crc));
  at += 16;
  left -= 16;
  if (left >= 112) {
    const __m128i by = constants(arc_constant(512), arc_constant(576));
    __m128i sum1 = load(at), sum2 = load(at + 16), sum3 = load(at + 32);
    for (at += 48, left -= 48; left >= 64; at += 64, left -= 64) {
      sum = fold(sum, by, load(at));
      sum1 = fold(sum1, by, load(at + 16));
      sum2 = fold(sum2, by, load(at + 32));
      sum3 = fold(sum3, by, load(at + 48));
    }
    const __m128i by_one = constants(arc_constant(128), arc_constant(192));
    sum = fold(fold(fold(sum, by_one, sum1), by_one, sum2), by_one, sum3);
  }
  const __m128i by_one = constants(arc_constant(128), arc_constant(192));
  for (; left >= 16; at += 16, left -= 16) sum = fold(sum, by_one, load(at));
  char folded[16];
  _mm_storeu_si128(reinterpret_cast<__m128i*>(folded), sum);
  return arc_tables({at, left}, arc_tables({folded, 16}, 0));
}

MORAY_ROUTER_FOLDING std::uint16_t xmodem_folding(std::string_view bytes, std::uint16_t crc) {
  if (bytes.size() < kFoldedBytesMin) return xmodem_tables(bytes, crc);
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  const auto first = static_cast<int>((crc >> 8) | (crc & 0xff) << 8);
  __m128i sum = swapped(_mm_xor_si128(load(at), _mm_cvtsi32_si128(first)));
  at += 16;
  left -= 16;
  if (left >= 112) {
    const __m128i by = constants(xmodem_constant(576), xmodem_constant(512));
    __m128i sum1 = swapped(load(at)), sum2 = swapped(load(at + 16)), sum3 = swapped(load(at + 32));
    for (at += 48, left -= 48; left >= 64; at += 64, left -= 64) {
      sum = fold(sum, by, swapped(load(at)));
      sum1 = fold(sum1, by, swapped(load(at + 16)));
      sum2 = fold(sum2, by, swapped(load(at + 32)));
      sum3 = fold(sum3, by, swapped(load(at + 48)));
    }
    const __m128i by_one = constants(xmodem_constant(192), xmodem_constant(128));
    sum = fold(fold(fold(sum, by_one, sum1), by_one, sum2), by_one, sum3);
  }
  const __m128i by_one = constants(xmodem_constant(192), xmodem_constant(128));
  for (; left >= 16; at += 16, left -= 16) sum = fold(sum, by_one, swapped(load(at)));
  char folded[16];
  _mm_storeu_si128(reinterpret_cast<__m128i*>(folded), swapped(sum));
  return xmodem_tables({at, left}, xmodem_tables({folded, 16}, 0));
}

#else

bool folding_available() { return false; }
std::uint16_t arc_folding(std::string_view bytes, std::uint16_t crc) {
  return arc_tables(bytes, crc);
}
std::uint16_t xmodem_folding(std::string_view bytes, std::uint16_t crc) {
  return xmodem_tables(bytes, crc);
}

#endif

}  // namespace fast::crc16
