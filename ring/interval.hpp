#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "ring/big_number.hpp"
#include "ring/hash.hpp"

namespace ring {

/// Divides hashes by a ring's interval: vnode = floor(hash / interval), exactly.
///
/// The top 64 bits of the hash decide in nearly all cases (all but one in 16 million for a ring of
/// 1,000,000 vnodes); where the bits below could change the quotient, whole numbers are compared.
/// Pure; any thread.
class Interval {
 public:
  /// floor((2^bits - 1) / vnode_count), as node-fash computes it.
  static BigNumber compute(Algorithm algorithm, std::uint32_t vnode_count);

  /// nullopt: the interval is zero, wider than the algorithm's hashes, or so small that it belongs
  /// to more than 2^33 vnodes.
  static std::optional<Interval> make(Algorithm algorithm, const BigNumber& interval);

  /// The vnode; may be vnode_count (the top remainder), which the caller must check. O(1).
  [[nodiscard]] std::uint64_t divide(const Digest& digest) const;

 private:
  BigNumber interval_;
  std::uint64_t top_ = 0;  // the interval's bits at the place of the hash's top 64
};

}  // namespace ring
