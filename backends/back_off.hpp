#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace backends {

/// How long to wait before the next attempt: doubling from `least` to `most`, each wait drawn
/// from its upper half so that many clients of one shard don't return in step. Pure.
class BackOff {
 public:
  BackOff(std::chrono::milliseconds least, std::chrono::milliseconds most)
      : least_(least), most_(most), next_(least) {}

  /// `random`: any 64 random bits.
  std::chrono::milliseconds next(std::uint64_t random) {
    const auto whole = next_;
    next_ = std::min(next_ * 2, most_);
    const auto half = static_cast<std::uint64_t>(whole.count()) / 2;
    return std::chrono::milliseconds(whole.count() -
                                     static_cast<std::int64_t>(random % (half + 1)));
  }
  void succeeded() { next_ = least_; }

 private:
  std::chrono::milliseconds least_, most_, next_;
};

}  // namespace backends
