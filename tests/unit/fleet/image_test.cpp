#include "fleet/images/image.hpp"

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "fleet/images/chunks.hpp"
#include "fleet/images/packed.hpp"
#include "ring/interval.hpp"

using namespace fleet;

namespace {

std::shared_ptr<const ring::Ring> ring_of(std::uint32_t vnodes, std::uint32_t pnodes,
                                          std::uint32_t turn = 0) {
  ring::RingParts parts;
  parts.interval_hex = ring::Interval::compute(ring::Algorithm::sha256, vnodes).even_hex();
  for (std::uint32_t i = 0; i < pnodes; ++i)
    parts.pnodes.push_back("tcp://" + std::to_string((i + turn) % pnodes) + ".moray:2020");
  for (std::uint32_t i = 0; i < vnodes; ++i)
    parts.owners.push_back(static_cast<std::uint16_t>((i + pnodes - turn) % pnodes));
  parts.data = {{3, "\"ro\""}};
  return ring::Ring::make(std::move(parts));
}

std::string why(const Image& image, const Geometry& geometry) {
  try {
    static_cast<void>(ring_from(image, geometry));
  } catch (const std::invalid_argument& failed) {
    return failed.what();
  }
  return "";
}

/// The last bits of a deflated text may mean nothing.
bool is_same(const Image& one, const Image& other) {
  return unpacked(one.bytes) == unpacked(other.bytes);
}

}  // namespace

TEST_CASE("fleet images: a ring comes back as it was, however many pnodes it has") {
  for (const std::uint32_t pnodes : {1, 2, 3, 255, 256, 257, 1000}) {
    const auto ring = ring_of(2000, pnodes);
    const auto back = ring_from(image_of(*ring), geometry_of(*ring));
    CHECK(back->digest() == ring->digest());
    CHECK(back->data_json(ring::Vnode{3}) == "\"ro\"");
  }
}

TEST_CASE("fleet images: rings of one digest have one image, in any order of their pnodes") {
  const auto one = ring_of(600, 300), other = ring_of(600, 300, 7);
  REQUIRE(one->digest() == other->digest());
  CHECK(one->pnodes().front() != other->pnodes().front());
  CHECK(image_of(*one).bytes == image_of(*other).bytes);
}

TEST_CASE("fleet images: another ring, another geometry and any damage are refused by name") {
  const auto ring = ring_of(64, 3);
  const Image image = image_of(*ring);
  const Geometry geometry = geometry_of(*ring);
  CHECK(why(image, geometry) == "");
  CHECK(why({std::string(64, '0'), image.bytes}, geometry).c_str() ==
        doctest::Contains("an image is of ring "));
  Geometry wider = geometry;
  wider.vnodes = 65;
  CHECK(why(image, wider).c_str() ==
        doctest::Contains("and the fleet's is of 65 vnodes by sha256"));
  for (std::size_t i = 0; i < image.bytes.size(); ++i) {
    Image damaged = image;
    damaged.bytes[i] = static_cast<char>(damaged.bytes[i] ^ 0x10);
    CHECK((why(damaged, geometry) != "" || is_same(damaged, image)));
    damaged.bytes = image.bytes.substr(0, i);
    CHECK(why(damaged, geometry) != "");
  }
  CHECK(why({image.digest, image.bytes + "x"}, geometry) == "an image goes on after its end");
  CHECK(why(image_of(ring::VnodeSet::parse("1-2"), 64), geometry) ==
        "an image is not in form MRI1");
  for (const std::string head : {"", "{", "{}\n", "[]\n", "{\"form\":\"MRI1\"}\n"})
    CHECK(why({image.digest, packed(head)}, geometry) != "");
}

TEST_CASE("fleet images: what unpacks to more than anybody has is refused before it is in memory") {
  const std::string bomb = packed(std::string(10'000'000, '\0'));
  CHECK(bomb.size() < 20'000);
  CHECK(unpacked(bomb).size() == 10'000'000);
  CHECK_THROWS_WITH(static_cast<void>(unpacked(bomb, 9'999'999)),
                    "an image holds more than 9999999 bytes");
  CHECK(unpacked(packed("")).empty());
  CHECK(unpacked(packed(std::string(64 << 10, 'x')), 64 << 10).size() == 64 << 10);
}

TEST_CASE("fleet images: vnodes come back as they were") {
  const Geometry geometry{ring::Algorithm::sha256, 1001, "1"};
  for (const std::string text : {"", "0", "1000", "0-1000", "7-8,15-16", "0,2,4,6,8,999-1000"}) {
    const auto set = ring::VnodeSet::parse(text);
    const Image image = image_of(set, 1001);
    CHECK(vnodes_from(image, geometry) == set);
    CHECK(image.digest == digest_of(set, 1001));
    CHECK_THROWS_AS(static_cast<void>(vnodes_from({std::string(64, '0'), image.bytes}, geometry)),
                    std::invalid_argument);
  }
  CHECK(digest_of(ring::VnodeSet::parse("1"), 1001) != digest_of(ring::VnodeSet::parse("1"), 1002));
  CHECK_THROWS_WITH(
      static_cast<void>(vnodes_from(image_of(ring::VnodeSet::parse("1"), 1000), geometry)),
      "an image is of vnodes of another ring");
}

TEST_CASE("fleet images: chunks are joined only if they are all there, and the header's own") {
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, kChunkBytes, kChunkBytes + 1, 3 * kChunkBytes}) {
    std::string bytes;
    for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>(i * 7 + i / 256);
    const Chunked parts = chunked(bytes);
    CHECK(parts.chunks.size() == (size + kChunkBytes - 1) / kChunkBytes);
    CHECK(joined(parts.header, parts.chunks) == bytes);
    CHECK(header_from(to_text(parts.header)) == parts.header);
    if (parts.chunks.size() < 2) continue;
    std::vector<std::string> swapped = parts.chunks;
    std::swap(swapped[0], swapped[1]);
    CHECK_THROWS_AS(static_cast<void>(joined(parts.header, swapped)), std::invalid_argument);
    swapped.pop_back();
    CHECK_THROWS_AS(static_cast<void>(joined(parts.header, swapped)), std::invalid_argument);
  }
  const Header header = chunked("abc").header;
  CHECK(chunk_name(header, 7) == header.sha256.substr(0, 16) + "-0007");
  CHECK_THROWS_AS(static_cast<void>(chunked(std::string(kChunksMost * kChunkBytes + 1, 'x'))),
                  std::invalid_argument);
  for (const std::string text :
       {"", "{}", "7", R"({"v":2})", R"({"v":1,"sha256":"x","bytes":1,"chunks":1})",
        R"({"v":1,"sha256":"x","bytes":1,"chunks":99999})"})
    CHECK_THROWS_AS(static_cast<void>(header_from(text)), std::invalid_argument);
}
