#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "ring/ring.hpp"
#include "ring/vnode_set.hpp"

namespace fleet {

/// A ring, or some vnodes, as a fleet's members hand it to each other: by what it means, and
/// packed. Rings of 1,000,000 vnodes take 1 KB (pnodes take turns) to 841 KB (100 pnodes at
/// random).
struct Image {
  std::string digest;  ///< a ring's (docs/ring.md), or of vnodes: `digest_of`
  std::string bytes;
};

/// O(vnodes).
Image image_of(const ring::Ring& ring);
/// `vnodes`: how many the ring has. O(vnodes).
Image image_of(const ring::VnodeSet& set, std::uint32_t vnodes);
/// SHA-256, lower-case hex, of what the vnodes are, and of how many.
std::string digest_of(const ring::VnodeSet& set, std::uint32_t vnodes);

/// What members of a fleet have in common; what keys hash to hangs on it.
struct Geometry {
  ring::Algorithm algorithm = ring::Algorithm::sha256;
  std::uint32_t vnodes = 0;
  std::string interval_hex;
  bool operator==(const Geometry&) const = default;
};
Geometry geometry_of(const ring::Ring& ring);
/// More than the image of any ring of that geometry has, whose data are words of a few bytes.
std::size_t image_bytes_most(const Geometry& geometry);
/// As the root of a fleet's nodes says it.
std::string to_text(const Geometry& geometry);
/// Throws std::invalid_argument, naming the member at fault.
Geometry geometry_from(std::string_view text);

/// Throws std::invalid_argument, naming what is wrong: the bytes are damaged, or are another ring
/// than `digest` says, or of another geometry. O(vnodes).
std::shared_ptr<const ring::Ring> ring_from(const Image& image, const Geometry& geometry);
/// Likewise.
ring::VnodeSet vnodes_from(const Image& image, const Geometry& geometry);

}  // namespace fleet
