#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string_view>

#include "ring/image.hpp"
#include "ring/ring.hpp"
#include "tests/fuzz/require.hpp"

// What a process that reads rings hands over is a ring, or is refused.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view image(reinterpret_cast<const char*>(data), size);
  try {
    const auto ring = ring::from_image(image);
    require(ring::from_image(ring::to_image(*ring))->digest() == ring->digest(),
            "an image of an image's ring is of the same ring");
  } catch (const std::invalid_argument& error) {
    require(*error.what() != 0, "a refusal has words");
  }
  return 0;
}
