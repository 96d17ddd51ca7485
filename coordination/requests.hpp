#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace coordination {

/// What became of a request.
enum class Outcome : std::uint8_t {
  done,
  no_node,          ///< or no parent
  exists,           ///< a node of that path
  version_differs,  ///< from the one that was named
  has_children,     ///< a node with children is not removed
  denied,           ///< to these credentials
  refused,          ///< the request makes no sense: a path without a slash, say, or too many bytes
  /// Nobody knows: the connection was lost, or the session has ended. A write may have been done,
  /// or may be done yet; a read has read nothing.
  unknown,
};
std::string_view to_string(Outcome outcome);

/// The version of a node that has been created and not set; each set adds one.
inline constexpr std::int32_t kFirstVersion = 0;
/// Any version.
inline constexpr std::int32_t kAnyVersion = -1;
/// The most that a node holds. Larger values end the connection of a ZooKeeper server, as a broken
/// cable would, so that nobody could tell why.
inline constexpr std::size_t kNodeBytesMost = 64 << 10;
/// The most that the requests of one transaction carry together, with their paths.
inline constexpr std::size_t kTransactionBytesMost = 512 << 10;

/// A node as it was read.
struct Node {
  std::string value;
  std::int32_t version = kFirstVersion;
  std::int64_t owner = 0;  ///< the session that it ends with; 0: none
  /// When it was created, in milliseconds since 1970 by the service's clock: for people, and no
  /// part of what makes two nodes equal.
  std::int64_t created_ms = 0;
  bool operator==(const Node& other) const {
    return value == other.value && version == other.version && owner == other.owner;
  }
};

/// Fails if the node is not there, or not of that version.
struct Check {
  std::string path;
  std::int32_t version = kAnyVersion;
};
struct Create {
  std::string path;
  std::string value = {};
  bool ephemeral = false;    ///< it ends with the session
  bool world_reads = false;  ///< without credentials; else the session's user alone does anything
};
struct Set {
  std::string path;
  std::string value = {};
  std::int32_t version = kAnyVersion;
};
struct Remove {
  std::string path;
  std::int32_t version = kAnyVersion;
};
/// One request that writes, or checks for others in its transaction.
using Write = std::variant<Check, Create, Set, Remove>;

/// Paths start with a slash, and don't end with one; no part is empty, `.` or `..`, and
/// none has control characters.
[[nodiscard]] bool well_formed(std::string_view path);
/// Why the requests are refused before anybody is asked; empty: they are not. O(bytes of paths).
[[nodiscard]] std::string refusal(const std::vector<Write>& transaction);

}  // namespace coordination
