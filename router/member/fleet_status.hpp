#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "router/member/image_history.hpp"

namespace router {

/// A fleet's member as pages and metrics show it.
struct FleetStatus {
  std::string fleet, member;
  bool serves = false;
  bool in_roster = false;  ///< and on its disk: who changes the ring waits for it
  bool in_touch = false;   ///< ZooKeeper has answered within a session's time
  std::uint64_t seq = 0;   ///< of the newest state that it has seen, also before it started
  std::uint64_t generation = 0, fleet_generation = 0;  ///< of the ring in force here, and there
  std::string digest, fleet_digest;                    ///< likewise; empty: not known
  /// By lease_clock: since when the fleet's ring is another one than this router's.
  std::optional<std::chrono::nanoseconds> other_ring_since;
  std::string change, stage;  ///< the open change's token, and its stage; empty: none is open
  std::string record;         ///< of a change that this member has agreed to: its token
  /// For who writes the fleet's state anew, as JSON (fleet/protocol/text.hpp): its entry in the
  /// roster, what it has agreed to (empty: to nothing), and what operators have blocked.
  std::string entry, agreed, blocks;
  std::uint64_t highest = 0;  ///< that was given to any ring, as of a state; 0: it has seen none
  std::vector<std::string> roster;   ///< ids of all members, as it has kept them
  std::uint64_t foreign = 0;         ///< routers of the roster that are none of ours, and run
  std::uint64_t doubt_vnodes = 0;    ///< refused, since the fleet may have given them away
  std::uint64_t blocked_vnodes = 0;  ///< by `fleet block`
  std::uint64_t sessions_expired = 0;
  ImageHistory images;
  std::string problem;  ///< what it has told last; empty: none since all was well
};

}  // namespace router
