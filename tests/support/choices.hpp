#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <variant>

/// What a test that is driven by choices takes them from: a seed's random numbers, or the bytes
/// that a fuzzer makes up. One thread.
class Choices {
 public:
  explicit Choices(std::uint32_t seed) : source_(std::mt19937(seed)) {}
  /// The bytes must outlive this.
  explicit Choices(std::span<const std::uint8_t> bytes) : source_(bytes) {}

  /// A number from 0 to `count` - 1, of which there is one at least; 0 where the bytes are used up.
  std::uint32_t one_of(std::uint32_t count) {
    if (auto* random = std::get_if<std::mt19937>(&source_)) return (*random)() % count;
    std::uint32_t chosen = byte();
    for (std::uint32_t reach = 256; reach < count; reach <<= 8) chosen = chosen << 8 | byte();
    return chosen % count;
  }
  /// False where the bytes are used up.
  [[nodiscard]] bool more() const {
    const auto* bytes = std::get_if<std::span<const std::uint8_t>>(&source_);
    return bytes == nullptr || !bytes->empty();
  }

 private:
  std::uint32_t byte() {
    auto& bytes = std::get<std::span<const std::uint8_t>>(source_);
    if (bytes.empty()) return 0;
    const std::uint8_t first = bytes.front();
    bytes = bytes.subspan(1);
    return first;
  }

  std::variant<std::mt19937, std::span<const std::uint8_t>> source_;
};
