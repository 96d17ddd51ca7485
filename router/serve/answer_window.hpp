#pragma once

#include <algorithm>
#include <cstddef>

namespace router {

/// How many requests of one client are under way at once, by what their answers have been: answers
/// that were asked for come, and a shard makes them, whether or not there is room for them. So a
/// client begins with a few and has one more with each answer, up to any number; and where answers
/// are large, no more than a bound of bytes holds of those like the last ones. Pure. Lives on one
/// worker.
class AnswerWindow {
 public:
  /// The last frame of an answer, or a part of one.
  void answered(std::size_t bytes) {
    ++most_;
    usual_ = std::max(bytes, usual_ - usual_ / 8);
  }
  /// At least one.
  [[nodiscard]] std::size_t most() const {
    return std::max<std::size_t>(1, std::min(most_, kBytes / std::max<std::size_t>(1, usual_)));
  }

 private:
  static constexpr std::size_t kBegins = 64;
  static constexpr std::size_t kBytes = 64 << 20;
  std::size_t most_ = kBegins;
  std::size_t usual_ = 0;  // the largest of the last few
};

}  // namespace router
