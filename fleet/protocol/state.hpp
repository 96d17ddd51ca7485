#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace fleet {

/// A ring of a fleet's. Number and digest together: a ring that comes into force again has another
/// number than it had, and a number is never given twice.
struct RingName {
  std::uint64_t generation = 0;
  std::string digest;  ///< of the ring (docs/ring.md)
  bool operator==(const RingName&) const = default;
};

enum class Kind : std::uint8_t {
  publish,  ///< another ring comes into force
  block,  ///< writes to some vnodes wait or are refused at all routers, until an operator unblocks
  /// A cutover of a plan of resharding: another ring comes into force, and the plan's row in the
  /// source's database decides whether it does. The state follows the row.
  reshard,
};

/// Versions of the protocol that a program speaks. 1: publications and blocks; 2: cutovers, too.
/// What all of a fleet's programs need not speak is not written until it is needed.
struct Versions {
  int from = 1, to = 1;
  bool operator==(const Versions&) const = default;
  [[nodiscard]] bool have(int version) const { return from <= version && version <= to; }
};
inline constexpr Versions kVersions{1, 2};  ///< of this program
constexpr int version_of(Kind kind) { return kind == Kind::reshard ? 2 : 1; }

/// A plan of resharding (docs/resharding.md), as its databases know it.
struct PlanName {
  std::uint64_t number = 0;
  std::string token;
  std::string from, to;  ///< pnodes: whose databases have its rows
  bool operator==(const PlanName&) const = default;
};

/// How far the one change has come that is open. It is closed in one step from each of them: after
/// `activate` as committed (a block: after `block`), else as abandoned.
enum class Stage : std::uint8_t {
  prepare,   ///< members fetch and stage the ring, and write down that they did
  block,     ///< members hold writes to what moves, and wait for the earlier ones
  activate,  ///< committed: members serve by the new ring, and hold writes to what has moved
};

/// A change of what all members go by. There is one at most, in `State`.
struct Change {
  std::string token;  ///< of this change alone
  Kind kind = Kind::publish;
  Stage stage = Stage::prepare;
  bool drains = true;  ///< goes through Stage::block; without it: only data of vnodes are added
  RingName base, next;
  std::string vnodes;              ///< kind block: the digest of the image of what is blocked
  bool waits = true;               ///< kind block: as in Block
  std::optional<PlanName> plan{};  ///< kind reshard
  /// How long a member serves what moves after it has agreed, and hears nothing. Nor is `block`
  /// waited for longer than that.
  std::chrono::milliseconds lease{};
  std::chrono::milliseconds prepare_limit{};  ///< how long `prepare` is waited for
  std::string coordinator, why;               ///< for people
  std::int64_t opened_at = 0;                 ///< for people; Unix time, seconds
  bool operator==(const Change&) const = default;
};

/// What became of the change that was open last.
struct Closed {
  std::string token;
  bool committed = false;
  /// Its lease: what was planned by the ring before it is sent no later than that after it was
  /// closed.
  std::chrono::milliseconds lease{};
  bool operator==(const Closed&) const = default;
};

/// The node that decides. Every step of a change is one write of it, at the version that its writer
/// has read or written last.
struct State {
  std::uint64_t seq = 0;      ///< one more with each write
  std::string by;             ///< another with each write: who finds its own there, has written
  RingName ring;              ///< in force
  std::uint64_t highest = 0;  ///< the highest number that a ring was ever given
  std::optional<Change> change;
  std::optional<Closed> last;
  bool operator==(const State&) const = default;
};

/// Vnodes that an operator has blocked at all routers.
struct Block {
  std::string token;   ///< of the change that did it
  std::string vnodes;  ///< the digest of their image
  bool waits = true;   ///< writes wait, as long as routers let them; else they are refused
  std::string who, why;
  bool operator==(const Block&) const = default;
};
using Blocks = std::vector<Block>;

/// What operators say of a router that knows nothing of fleets, as an electric-moray process: it
/// serves by a ring of its own, and can't agree to anything, hold writes or give vnodes up.
struct Foreign {
  std::string status;    ///< the URL of a page that answers as long as it runs
  bool stopped = false;  ///< it does not run, nor will it before somebody says so
  std::string digest;    ///< of its ring; empty: not known, or it is stopped
  bool operator==(const Foreign&) const = default;
};

/// A member as the roster has it: who must agree to a change. It stays when its process ends.
struct Entry {
  std::string incarnation;  ///< another with each start of the process
  RingName ring;            ///< in force there, as it said last
  std::string address;
  std::uint16_t http_port = 0;
  std::string version;               ///< of the program
  std::chrono::milliseconds hold{};  ///< for which writes wait at most there
  std::string http_host{};           ///< of its HTTP port; empty: the address's
  Versions speaks = kVersions;
  std::optional<Foreign> foreign{};  ///< it is none of ours
  bool operator==(const Entry&) const = default;
};

/// A member's last word on the change that is open.
struct Answer {
  std::string token;
  Stage stage = Stage::prepare;
  std::string incarnation;
  std::string refusal;  ///< empty: it agrees
  /// Writes to what moves whose shard was lost before it answered: they may be done, or be done
  /// yet.
  std::uint64_t indeterminate = 0;
  bool operator==(const Answer&) const = default;
};

/// What a member keeps on disk of a change that it has agreed to, before it says so, until it has
/// heard that the change is closed.
struct Record {
  enum class Phase : std::uint8_t {
    prepared,   ///< its ring is staged
    leased,     ///< it has agreed to all that the commit needs: serves under a lease only
    activated,  ///< the commit was seen: the new ring comes into force, or is in force
  };
  std::string token;
  Kind kind = Kind::publish;
  Phase phase = Phase::prepared;
  RingName base, next;
  bool drains = true;
  std::chrono::milliseconds lease{};
  std::string vnodes;              ///< kind block: as in the change
  bool waits = true;               ///< likewise
  std::optional<PlanName> plan{};  ///< kind reshard
  bool operator==(const Record&) const = default;
};

/// What a member keeps on disk while the roster has it. Without it no ring is served before the
/// member has joined.
struct Membership {
  std::string id;
  /// Under which the roster may have it: of this process, and of the one before.
  std::string incarnation, before;
  /// The ring in force, as of the last time that it was kept: a store that has another one, and no
  /// record of it, was restored or edited.
  RingName ring;
  std::uint64_t seq = 0;  ///< the highest that was seen, as of then
  bool operator==(const Membership&) const = default;
};

/// A coordinator goes on without an answer that long after a member's lease must have ended by any
/// clock.
inline constexpr std::chrono::milliseconds kLeaseMargin{500};
/// From the commit on, when nobody can serve under a lease of that length: clocks may differ by one
/// in a hundred.
constexpr std::chrono::nanoseconds lease_over(std::chrono::milliseconds lease) {
  return lease + lease / 100 + kLeaseMargin;
}

/// From a member's activation on, when the target of a cutover must have opened, and members have
/// heard of it, if its coordinator has only waited for members that are silent.
constexpr std::chrono::nanoseconds target_opens_within(std::chrono::milliseconds lease) {
  return 2 * lease_over(lease);
}

}  // namespace fleet
