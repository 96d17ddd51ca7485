#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "ring/leveldb_store.hpp"
#include "ring/ring.hpp"
#include "ring/topology.hpp"
#include "tests/fuzz/require.hpp"

// A text that is taken for a topology is a ring: written and read again, it is the same one.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::shared_ptr<const ring::Ring> ring;
  try {
    ring = ring::parse_topology(text);
  } catch (const ring::RingError& error) {
    require(*error.what() != 0, "a refusal has words");
    return 0;
  }
  const std::string written = ring::serialize_topology(*ring);
  const auto again = ring::parse_topology(written);
  require(again->digest() == ring->digest(), "a ring that is written is read as the same");
  require(ring::serialize_topology(*again) == written, "a ring is written in one way");
  return 0;
}
