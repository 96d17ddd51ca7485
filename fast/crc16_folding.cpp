#include <array>

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
constexpr std::size_t kFoldedBytesMin = 24;  // shorter texts are faster by tables

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
  return _mm_shuffle_epi8(bytes,
                          _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
}

}  // namespace

bool folding_available() {
  return __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("ssse3") &&
         __builtin_cpu_supports("sse4.1");
}

namespace {

/// The first `count` (2 to 15) bytes of `bytes` moved to its end, behind zeros. Zeros at a text's
/// beginning add nothing to its sum, so that the odd bytes are summed first, and what follows is
/// whole registers.
MORAY_ROUTER_FOLDING __m128i behind_zeros(__m128i bytes, std::size_t count) {
  alignas(16) static constexpr std::array<signed char, 32> kMoves = [] {
    std::array<signed char, 32> moves{};
    for (int i = 0; i < 32; ++i)
      moves[static_cast<std::size_t>(i)] = static_cast<signed char>(i < 16 ? -1 : i - 16);
    return moves;
  }();
  return _mm_shuffle_epi8(bytes,
                          _mm_loadu_si128(reinterpret_cast<const __m128i*>(kMoves.data() + count)));
}

/// Adds `left` bytes, a multiple of 16, to a sum. `Swap`: bytes are turned round first.
template <bool Swap>
MORAY_ROUTER_FOLDING __m128i fold_all(__m128i sum, const char* at, std::size_t left,
                                      __m128i by_four, __m128i by_one) {
  const auto next = [](const char* from)
                        MORAY_ROUTER_FOLDING { return Swap ? swapped(load(from)) : load(from); };
  if (left >= 112) {
    __m128i sum1 = next(at), sum2 = next(at + 16), sum3 = next(at + 32);
    for (at += 48, left -= 48; left >= 64; at += 64, left -= 64) {
      sum = fold(sum, by_four, next(at));
      sum1 = fold(sum1, by_four, next(at + 16));
      sum2 = fold(sum2, by_four, next(at + 32));
      sum3 = fold(sum3, by_four, next(at + 48));
    }
    sum = fold(fold(fold(sum, by_one, sum1), by_one, sum2), by_one, sum3);
  }
  for (; left >= 16; at += 16, left -= 16) sum = fold(sum, by_one, next(at));
  return sum;
}

}  // namespace

MORAY_ROUTER_FOLDING std::uint16_t arc_folding(std::string_view bytes, std::uint16_t crc) {
  if (bytes.size() < kFoldedBytesMin) return arc_tables(bytes, crc);
  if (bytes.size() % 16 == 1) {  // the sum so far needs two bytes to go into
    crc = arc_tables(bytes.substr(0, 1), crc);
    bytes.remove_prefix(1);
  }
  const std::size_t odd = bytes.size() % 16;
  __m128i sum = _mm_xor_si128(load(bytes.data()), _mm_cvtsi32_si128(crc));
  if (odd > 0) sum = behind_zeros(sum, odd);
  const std::size_t taken = odd > 0 ? odd : 16;
  sum = fold_all<false>(sum, bytes.data() + taken, bytes.size() - taken,
                        constants(arc_constant(512), arc_constant(576)),
                        constants(arc_constant(128), arc_constant(192)));
  char folded[16];
  _mm_storeu_si128(reinterpret_cast<__m128i*>(folded), sum);
  return arc_tables({folded, 16}, 0);
}

MORAY_ROUTER_FOLDING std::uint16_t xmodem_folding(std::string_view bytes, std::uint16_t crc) {
  if (bytes.size() < kFoldedBytesMin) return xmodem_tables(bytes, crc);
  if (bytes.size() % 16 == 1) {
    crc = xmodem_tables(bytes.substr(0, 1), crc);
    bytes.remove_prefix(1);
  }
  const std::size_t odd = bytes.size() % 16;
  const auto first = static_cast<int>((crc >> 8) | (crc & 0xff) << 8);
  __m128i sum = _mm_xor_si128(load(bytes.data()), _mm_cvtsi32_si128(first));
  if (odd > 0) sum = behind_zeros(sum, odd);
  const std::size_t taken = odd > 0 ? odd : 16;
  sum = fold_all<true>(swapped(sum), bytes.data() + taken, bytes.size() - taken,
                       constants(xmodem_constant(576), xmodem_constant(512)),
                       constants(xmodem_constant(192), xmodem_constant(128)));
  char folded[16];
  _mm_storeu_si128(reinterpret_cast<__m128i*>(folded), swapped(sum));
  return xmodem_tables({folded, 16}, 0);
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
