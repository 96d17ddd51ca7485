#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "ring/vnode_set.hpp"

namespace reshard {

enum class Role : std::uint8_t { source, target };

/// One of the two shards of a plan.
struct Side {
  std::string pnode;
  std::string url;    ///< as the owner of the tables: schema, triggers, reads
  std::string apply;  ///< as whoever may set session_replication_role: pump, cleanup
  bool operator==(const Side&) const = default;
};

/// What an operator chooses.
struct PlanOptions {
  /// The block ends by itself after so long, before the commit.
  std::uint64_t max_block_ms = 1'000;
  std::uint64_t soak_seconds = 86'400;             ///< the source is kept current for so long
  std::uint64_t copy_bytes_per_second = 0;         ///< 0: any
  std::uint64_t cleanup_rows_per_second = 20'000;  ///< 0: any
  /// A batch that took longer is followed by a pause as long.
  std::uint64_t cleanup_latency_ms = 50;
  /// Routers serve moving vnodes, and hold writes to them, for so long without hearing of the plan:
  /// a router's lease. At least `router_lease` of the longest block.
  std::uint64_t lease_ms = 1'200;
  std::uint64_t attempts = 5;      ///< cutovers tried before the plan stops
  std::uint64_t lag_rows = 1'000;  ///< the log is at most so long before the cutover
  /// The log of writes that are still to be carried over may take so much of a database's disk.
  std::uint64_t log_bytes = std::uint64_t{1} << 30;
  std::uint64_t settle_ms = 2'000;  ///< and has been for so long
  /// Routers know within this that a database has become one that hides rows.
  std::uint64_t cache_ms = 31'000;
  std::uint64_t hook_seconds = 3'600;  ///< a hook that takes longer is ended, and has failed
  bool cleanup = true;
  bool trust_vnodes = false;        ///< rows that say a vnode say that of their key: not looked at
  bool known_clients_only = false;  ///< sessions that are no router's are an obstacle
  bool operator==(const PlanOptions&) const = default;
};

/// A fleet whose members serve a plan's ring (docs/fleet.md).
struct PlanFleet {
  std::string name;
  std::vector<std::string> zookeeper;  ///< host:port each
  std::string credentials_file;        ///< empty: none
  std::uint64_t session_ms = 10'000;
  /// Of a ring with a larger image the routers are told the edit that makes it.
  std::uint64_t image_bytes_max = config::Fleet().image_bytes_max;
  std::string image_url;  ///< of images elsewhere; empty: there are none
  bool operator==(const PlanFleet&) const = default;
};

/// The site's dump lock as a node of the ZooKeeper that the plan's fleet has.
struct DumpLockOptions {
  std::string path = "/pg_dump_lock";
  PlanFleet fleet;    ///< its servers; plans of one fleet, by its name, share the lock
  std::string token;  ///< the plan's; of a rollback, that of the plan that it takes back
  std::optional<std::uint64_t> wait_seconds;  ///< for others that have it; none: without an end
  std::uint64_t alarm_seconds = 3'600;        ///< a lock that is older is told
  bool operator==(const DumpLockOptions&) const = default;
};

/// In the order in which they are run. `pre_lock` takes the site's lock; the last two give it back.
inline constexpr const char* kEndHook = "post_finalize";
inline constexpr const char* kAbortHook = "on_abort";
inline constexpr std::array<const char*, 6> kHookPhases{"pre_lock",    "pre_copy", "post_activate",
                                                        "pre_cleanup", kEndHook,   kAbortHook};

/// Waited for after a router's lease, for clocks that don't run alike.
inline constexpr std::chrono::milliseconds kLeaseMargin{1'000};
/// A router's lease is longer than a block by so much, for the block's end to reach it.
inline constexpr std::chrono::milliseconds kBlockEnds{200};

/// The shortest lease of routers for a block of so many milliseconds.
constexpr std::uint64_t router_lease(std::uint64_t max_block_ms) {
  return max_block_ms + static_cast<std::uint64_t>(kBlockEnds.count());
}

/// The plan's lease, in milliseconds: the longest time for which its cutover makes a write wait,
/// also where a coordinator or a router is silent, stopped or dead. Before the commit that is
/// a router's lease. After it, within a second lease of a router's and the margin, all routers have
/// taken the new ring, or serve nothing by the old one; one that holds on refuses by then. A second
/// coordinator that dies adds its own.
constexpr std::uint64_t longest_hold(std::uint64_t router_lease_ms) {
  return 2 * router_lease_ms + static_cast<std::uint64_t>(kLeaseMargin.count());
}
/// The lease of routers under which a plan's is so long; 0: there is none.
constexpr std::uint64_t router_lease_within(std::uint64_t plan_lease_ms) {
  const auto margin = static_cast<std::uint64_t>(kLeaseMargin.count());
  return plan_lease_ms > margin ? (plan_lease_ms - margin) / 2 : 0;
}

/// A move of vnodes from one shard to another. Written once, never changed. It says nothing else of
/// the ring: that is bound right before each cutover, since other plans and people change it.
struct Plan {
  std::uint64_t number = 0;  ///< over all plans of both databases; the newest of a vnode decides
  std::string token;         ///< random: two plans that were given one number are told apart by it
  Side from, to;
  ring::VnodeSet vnodes;
  std::string ring_location;         ///< where the coordinator reads the ring
  std::uint64_t reverts = 0;         ///< the plan that this one takes back; 0: none
  std::string reverts_token;         ///< its token; empty: an older program made this plan
  std::vector<std::string> routers;  ///< admin sockets; none where there is a fleet
  std::optional<PlanFleet> fleet;
  config::Buckets buckets;
  PlanOptions options;
  std::map<std::string, std::string> hooks;  ///< by phase, of kHookPhases: a shell command
  std::optional<DumpLockOptions> dump_lock;  ///< none: hooks take the site's lock, or nobody does
  std::vector<std::string>
      gates;           ///< `copy`, `cutover`, `finalize`, `cleanup`: shut from the start
  std::string pg_bin;  ///< where pg_dump is; empty: where the system has it
  std::string author;  ///< user@host
  std::string made;    ///< when

  [[nodiscard]] std::string name() const { return std::to_string(number); }
  [[nodiscard]] bool takes_lock() const { return dump_lock || hooks.contains("pre_lock"); }
  bool operator==(const Plan&) const = default;
};

/// A configuration's fleet; nullopt: it names none.
std::optional<PlanFleet> fleet_of(const config::Config& config);

/// The routers of a plan that goes on, as that configuration has them: the members of its fleet,
/// also of a plan that was made for others; or, where it has none any more, its own admin socket.
void take_routers(Plan& plan, const config::Config& config);

std::string to_json_text(const Plan& plan);
/// Throws std::runtime_error naming what is wrong.
Plan plan_from_json(const std::string& text);

/// The plan that takes a cut-over one back: the other way, under its own number.
Plan reverse_of(const Plan& plan, std::uint64_t number);

/// Random, 128 bits, hex.
std::string make_token();
/// user@host of this process.
std::string this_author();
/// As ISO 8601, UTC, to the millisecond: comparable as texts.
std::string time_now();
std::string time_in(std::uint64_t milliseconds);
std::string time_of(std::int64_t milliseconds);  ///< since 1970
/// From now, by the wall clock; negative: it has passed. Throws std::runtime_error.
std::chrono::milliseconds time_until(const std::string& time);

}  // namespace reshard
