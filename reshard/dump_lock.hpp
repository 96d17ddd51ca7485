#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "coordination/requests.hpp"

/// The site's dump lock as a node of ZooKeeper: while it is there, no dump begins. Plans of one
/// fleet share it, each by a token of its own in the node's value: the first creates the node,
/// later ones add themselves, each takes itself out, and the last removes it. All of that is by the
/// version that was read, so that two at once can't both be the last. A node of anybody else is
/// waited for, and never changed. Pure.
namespace reshard {

/// One of those that hold the lock, or will.
struct LockClaim {
  std::string path;   ///< of the node
  std::string fleet;  ///< by its name; plans of another one are others
  std::uint64_t plan = 0;
  std::string token;  ///< by which it is known again
  std::string host;   ///< user@host
  std::string since;  ///< ISO time
  bool operator==(const LockClaim&) const = default;
};

/// Others that have the lock.
struct LockedByOthers {
  std::string who;              ///< for people: the path, since when, and what the node says
  std::int64_t created_ms = 0;  ///< since 1970, by ZooKeeper's clock
  bool operator==(const LockedByOthers&) const = default;
};

/// Whether a node of that path can be the lock.
[[nodiscard]] bool can_be_lock(const std::string& path);

/// What comes next.
struct LockStep {
  enum class Kind : std::uint8_t {
    done,    ///< as it is wanted: nothing is to be written
    write,   ///< this, and then look again, unless it was done
    others,  ///< to be taken later, by somebody who looks again
  };
  Kind kind = Kind::done;
  std::optional<coordination::Write> write = {};
  LockedByOthers others = {};
};

/// By the node as it was read; none: it is not there. `done`: the lock is this claim's. O(bytes).
LockStep step_to_take(const LockClaim& mine, const std::optional<coordination::Node>& node);

/// `done`: the lock is not this claim's, or not any more. Never `others`. O(bytes).
LockStep step_to_give_back(const LockClaim& mine, const std::optional<coordination::Node>& node);

}  // namespace reshard
