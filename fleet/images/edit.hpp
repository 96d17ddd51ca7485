#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "fleet/images/image.hpp"
#include "ring/ring.hpp"
#include "ring/vnode_set.hpp"

namespace fleet {

/// What makes one ring of another: vnodes are given to a pnode, or are given data. Who has the
/// one makes the other of it. Of a ring of 1,000,000 vnodes it takes 125 KB at most.
struct Edit {
  enum class Gives : std::uint8_t { pnode, data };
  std::string base;  ///< the digest of the ring that it is made of
  ring::VnodeSet vnodes;
  Gives gives = Gives::pnode;
  std::string value;  ///< a pnode's name, or a JSON text
  bool operator==(const Edit&) const = default;
};

/// An edit gives no longer data than that.
inline constexpr std::size_t kEditDataBytesMost = 30'000;

/// Under the digest of the ring that it makes, in the place of that ring's own. Throws
/// std::invalid_argument: `value` is too long, or on all of the vnodes. O(vnodes).
Image image_of(const Edit& edit, const ring::Ring& made);

/// The digest of the ring of which that image makes its own; nullopt: it is whole, or anything
/// else. O(1).
std::optional<std::string> base_of(std::string_view image_bytes);

/// Whether what is there under an image's digest does for it: it is the same, or whole, however it
/// was packed. Another edit may be of a ring that members lack by now.
bool stands_for(std::string_view there, const Image& image);

/// Throws std::invalid_argument, naming what is wrong: the bytes are damaged, are an edit of
/// another ring, or of vnodes that it lacks, or make another ring than `digest` says. O(vnodes).
std::shared_ptr<const ring::Ring> ring_from(const Image& edit, const ring::Ring& base,
                                            const Geometry& geometry);

/// The edit itself. Throws likewise, but knows nothing of what it makes. O(vnodes).
Edit edit_from(const Image& image, const Geometry& geometry);

}  // namespace fleet
