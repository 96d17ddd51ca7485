#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "fleet/images/edit.hpp"
#include "fleet/images/packed.hpp"
#include "ring/interval.hpp"
#include "ring/ring_edit.hpp"
#include "tests/fuzz/require.hpp"

// What is said to be an edit of a ring makes the ring that it says, or is refused. It is packed
// here: what deflated bytes unpack to, a fuzzer would not find out.
namespace {

std::shared_ptr<const ring::Ring> make_base() {
  constexpr std::uint32_t kVnodes = 20;
  ring::RingParts parts;
  parts.interval_hex = ring::Interval::compute(ring::Algorithm::sha256, kVnodes).even_hex();
  parts.pnodes = {"tcp://1.moray:2020", "tcp://2.moray:2020"};
  for (std::uint32_t i = 0; i < kVnodes; ++i) parts.owners.push_back(i % 2);
  return ring::Ring::make(std::move(parts));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto base = make_base();
  static const fleet::Geometry geometry = fleet::geometry_of(*base);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  fleet::Image image{std::string(64, '0'), "MRE1 " + base->digest() + '\n' + fleet::packed(text)};
  try {
    const fleet::Edit edit = fleet::edit_from(image, geometry);
    const auto made = edit.gives == fleet::Edit::Gives::pnode
                          ? ring::remapped(*base, edit.vnodes, edit.value)
                          : ring::with_data(*base, edit.vnodes, edit.value);
    require(fleet::edit_from(fleet::image_of(edit, *made), geometry) == edit,
            "an edit's image is of the same edit");
    image.digest = made->digest();
    require(fleet::ring_from(image, *base, geometry)->digest() == made->digest(),
            "an edit makes the ring that is asked for");
  } catch (const std::invalid_argument& error) {
    require(*error.what() != 0, "a refusal has words");
  }
  return 0;
}
