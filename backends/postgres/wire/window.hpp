#pragma once

#include <algorithm>
#include <cstddef>

namespace backends::postgres {

/// How many statements one pipelined connection has under way, by what their answers have been.
/// What libpq has taken can't be taken back: answers that were asked for come, whether or not there
/// is room for them and somebody waits for them; and libpq keeps what it counts them by. So the
/// rest waits before it. Pure.
class Window {
 public:
  /// A result, or a part of one.
  void answered(std::size_t bytes) { usual_ = std::max(bytes, usual_ - usual_ / 8); }
  [[nodiscard]] std::size_t most() const {
    return std::clamp<std::size_t>(kBytes / std::max<std::size_t>(1, usual_), 2, kMost);
  }
  /// Full until half of them are answered.
  [[nodiscard]] bool is_full(std::size_t under_way) const { return under_way >= most(); }
  [[nodiscard]] bool has_room(std::size_t under_way) const { return under_way <= most() / 2; }
  /// Answers are not worth being kept for a later one.
  [[nodiscard]] bool large() const { return usual_ > kLarge; }

 private:
  /// With 50 µs each at the server, and refilled at half, enough for 3 ms from here to there.
  static constexpr std::size_t kMost = 128;
  static constexpr std::size_t kBytes = 16 << 20;
  static constexpr std::size_t kLarge = 64 << 10;
  std::size_t usual_ = 0;  // the largest of the last few
};

}  // namespace backends::postgres
