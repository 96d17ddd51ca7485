#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fleet {

/// What is packed holds no more than that unpacked: the owners of 100,000,000 vnodes.
inline constexpr std::size_t kUnpackedBytesMost = 256U << 20;

/// In zlib's form. O(bytes).
std::string packed(std::string_view bytes);
/// Throws std::invalid_argument: it is not in that form, is cut off, goes on, or holds more than
/// `most`. O(bytes), and never more memory than that.
std::string unpacked(std::string_view bytes, std::size_t most = kUnpackedBytesMost);

/// SHA-256, lower-case hex.
std::string sha256_of(std::string_view bytes);

}  // namespace fleet
