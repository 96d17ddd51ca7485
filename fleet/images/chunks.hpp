#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fleet {

/// Small servers of ZooKeeper keep the last 500 writes in memory, and die of large ones.
inline constexpr std::size_t kChunkBytes = 60U << 10;
inline constexpr std::size_t kChunksMost = 1024;

/// What a node says of the chunks below it. It is written when all of them are there.
struct Header {
  std::string
      sha256;  ///< of all bytes; chunks are named by it, so that two writers don't mix theirs
  std::size_t bytes = 0, chunks = 0;
  std::int64_t written_at = 0;  ///< Unix time, seconds; by it old ones are found
  bool operator==(const Header&) const = default;
};

/// An image's bytes in parts that a node holds.
struct Chunked {
  Header header;
  std::vector<std::string> chunks;
};
/// Throws std::invalid_argument: there would be more than `kChunksMost`. O(bytes).
Chunked chunked(std::string_view bytes);
/// Throws std::invalid_argument: they are not those that the header tells of. O(bytes).
std::string joined(const Header& header, const std::vector<std::string>& chunks);

/// The name of a chunk's node.
std::string chunk_name(const Header& header, std::size_t number);

std::string to_text(const Header& header);
/// Throws std::invalid_argument, naming the member at fault.
Header header_from(std::string_view text);

}  // namespace fleet
