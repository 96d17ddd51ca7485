#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

/// The consistent-hash ring: which vnode a key hashes to, which pnode (shard) owns the vnode.
namespace ring {

enum class Algorithm : std::uint8_t { sha256, sha1, md5 };

/// 32, 20 or 16.
std::size_t digest_bytes(Algorithm algorithm);
/// "sha256", "sha1", "md5": as stored in a ring.
std::string_view to_string(Algorithm algorithm);
/// Any of node-fash's spellings: sha256 sha-256 SHA256 SHA-256 sha1 sha-1 SHA1 SHA-1 md5 MD5.
std::optional<Algorithm> algorithm_named(std::string_view name);

/// A key's hash: one big-endian unsigned integer.
struct Digest {
  std::array<std::uint8_t, 32> bytes{};
  std::size_t size = 0;
  bool operator==(const Digest&) const = default;
};

/// Hashes with OpenSSL's fetched algorithm and a reused context per thread. Any thread.
Digest hash(Algorithm algorithm, std::string_view bytes);

}  // namespace ring
