#include "ring/interval.hpp"

namespace ring {
namespace {

std::uint64_t top_bits(const Digest& digest) {
  std::uint64_t top = 0;
  for (std::size_t i = 0; i < 8; ++i) top = top << 8 | digest.bytes[i];
  return top;
}

}  // namespace

BigNumber Interval::compute(Algorithm algorithm, std::uint32_t vnode_count) {
  return BigNumber::ones(static_cast<unsigned>(8 * digest_bytes(algorithm)))
      .divided_by(vnode_count);
}

std::optional<Interval> Interval::make(Algorithm algorithm, const BigNumber& interval) {
  Interval result;
  result.interval_ = interval;
  const auto bits = static_cast<unsigned>(8 * digest_bytes(algorithm));
  result.top_ = interval.bits_from(bits - 64);
  if (interval.bit_length() > bits) return std::nullopt;
  // Below this, quotients are far beyond any ring's vnodes and estimates far off.
  if (result.top_ < (std::uint64_t{1} << 31)) return std::nullopt;
  return result;
}

std::uint64_t Interval::divide(const Digest& digest) const {
  // With hash = (h + r) * 2^k and interval = (i + s) * 2^k, 0 <= r, s < 1, the quotient lies
  // between floor(h / (i + 1)) and floor((h + 1) / i): where both agree, that is it.
  const std::uint64_t top = top_bits(digest);
  const std::uint64_t low = top_ == ~std::uint64_t{0} ? 0 : top / (top_ + 1);
  const std::uint64_t high = top == ~std::uint64_t{0} ? top / top_ + 1 : (top + 1) / top_;
  if (low == high) return low;

  const BigNumber whole = BigNumber::from_bytes({digest.bytes.data(), digest.size});
  std::uint64_t vnode = high;
  while (interval_.times(vnode) > whole) --vnode;
  return vnode;
}

}  // namespace ring
