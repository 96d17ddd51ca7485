#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

/// The Fast RPC wire protocol: frames, checksums, errors. Pure: no socket, clock or log.
/// Source: the fast-protocol notes in docs/fast-protocol.md.
namespace fast {

/// Bytes before each payload: version, type, status, message id, checksum, length.
inline constexpr std::size_t kHeaderBytes = 15;
/// Message ids run from 0 to this value; the top bit is never set.
inline constexpr std::uint32_t kMessageIdMax = 0x7fffffff;

/// The version byte selects the checksum's algorithm and nothing else.
enum class Version : std::uint8_t { v1 = 1, v2 = 2 };

enum class Status : std::uint8_t { data = 1, end = 2, error = 3 };

/// One whole message. Borrows its payload from the decoder that made it.
struct Frame {
  Version version = Version::v2;
  Status status = Status::data;
  std::uint32_t message_id = 0;
  std::uint16_t checksum = 0;  ///< of `payload` by the algorithm of `version`; verified
  std::string_view payload;    ///< UTF-8 JSON text, not yet checked for grammar

  bool operator==(const Frame&) const = default;
};

}  // namespace fast
