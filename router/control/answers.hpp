#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ring/generation_store.hpp"
#include "ring/ring_edit.hpp"
#include "router/control/publisher.hpp"
#include "router/plan/gate.hpp"
#include "router/serve/write_leases.hpp"

namespace router {

/// A ring that has come into force, or was in force already.
struct RingChange {
  std::string digest;
  std::uint64_t generation = 0;  ///< 0: a plain directory
  std::uint64_t changed = 0;     ///< vnodes that an edit changed; 0: all were so already
  Published published;
};

/// `block` as asked for.
struct BlockRequest {
  ring::VnodeSet vnodes;
  GateMode mode = GateMode::hold;
  bool wait = false;  ///< until the earlier writes to them have ended
  std::chrono::milliseconds wait_max{60'000};
  std::chrono::milliseconds grace{0};  ///< a write lost so long ago is taken for settled
  std::string lease;                   ///< whose end turns hold into refuse; empty: nobody's
};

struct BlockReport {
  std::uint64_t vnodes = 0;
  GateMode mode = GateMode::hold;
  Published published;
  bool waited = false;
  bool drained = false;        ///< no earlier write is unanswered
  std::size_t waited_for = 0;  ///< writes
  std::chrono::nanoseconds wait{};
  std::vector<IndeterminateWrite> indeterminate;  ///< younger than the grace
  std::size_t assumed_settled = 0;                ///< older
  std::chrono::steady_clock::time_point ended;
};

struct UnblockReport {
  std::uint64_t vnodes = 0;  ///< that were blocked before
  Published published;
};

/// `prepare` as asked for: either an edit, or a ring from elsewhere.
struct PrepareRequest {
  ring::VnodeSet vnodes;
  std::string pnode;
  std::string ring;           ///< a directory of node-fash's; empty: an edit
  std::string expect_digest;  ///< empty: any
  std::string base_digest;  ///< what the ring in force must be, or nothing is prepared; empty: any
  std::string holder;  ///< the lease's token, as the coordinator has chosen it; empty: one is made
  std::string plan;    ///< its number, or a name for people
  std::string from;    ///< the pnode whose database has the plan's row; empty: there is none
  std::string owner;   ///< the pnode that must have all of `vnodes`; empty: any
  bool rehearse = false;  ///< everything is checked and tried, and nothing changed
  std::chrono::milliseconds lease{30'000};
};

struct PreparedRing {
  bool rehearsed = false;            ///< then the digests alone mean anything
  std::string base_digest;           ///< of the ring in force
  std::chrono::milliseconds hold{};  ///< for how long writes are held at most
  std::string token;
  std::uint64_t generation = 0;
  std::string digest;
  std::string plan;
  std::chrono::milliseconds lease_left{};
};

/// A ring as a fleet names it (docs/fleet.md): the number is the fleet's.
struct FleetRing {
  std::uint64_t number = 0;
  std::string digest;
  /// Makes it, where the store has none under that number: on the files' thread; may throw. Empty:
  /// then it is refused as `not_here`.
  std::function<std::shared_ptr<const ring::Ring>()> make;
};

/// Of a ring that is ready to come into force.
struct FleetStaged {
  ring::VnodeSet changed;  ///< that change hands or data by it
  bool moves = false;      ///< some change hands
};

/// What a fleet lets its member serve, beside what is blocked here.
struct FleetGate {
  ring::VnodeSet held, refused;      ///< as in Gate
  ring::VnodeSet leased;             ///< requests to them are sent before `until` only
  std::chrono::nanoseconds until{};  ///< by lease_clock
  bool operator==(const FleetGate&) const = default;
};

/// What status pages show of all this.
struct ControlStatus {
  std::uint64_t reloads = 0;  ///< asked for, refused ones among them
  std::uint64_t reloads_refused = 0;
  std::uint64_t leases_expired = 0;
  std::string last_reload;  ///< empty: none was tried
  std::string ring_location;
  std::optional<std::chrono::system_clock::time_point> blocked_since;  ///< the oldest block's
  std::optional<PreparedRing> prepared;                                ///< without its token
  std::string
      left_pending;  ///< digest of a ring that was prepared before we started, and isn't in force
};

}  // namespace router
