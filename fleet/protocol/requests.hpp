#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "fleet/protocol/state.hpp"

namespace fleet {

/// What a member asks of the coordination service, one request at a time, in the order in which it
/// asks. Versions are those of nodes.
namespace ask {
/// A write: what the session reads after it is at least as new as what was true when it was made.
struct Touch {
  std::optional<std::int32_t> entry;  ///< fails unless the roster has the member at that version
  /// That this process lives, as long as the session. Fails as `exists` where another process shows
  /// itself, unless `entry` is there.
  bool shows = false;
};
/// To be answered by `Seen`. What is there is read in the order of Seen's members.
struct Look {};
struct WriteEntry {
  Entry entry;
  std::int32_t version = 0;
};
/// All or nothing: where the state is as it was seen, the roster gets the entry.
struct Join {
  Entry entry;
  std::optional<std::int32_t> version;  ///< of the member's own old entry; nullopt: there is none
  std::int32_t state = 0;
};
/// All or nothing, likewise.
struct Leave {
  std::int32_t entry = 0, state = 0;
};
struct Acknowledge {
  Answer answer;
};
}  // namespace ask
using Request =
    std::variant<ask::Touch, ask::Look, ask::WriteEntry, ask::Join, ask::Leave, ask::Acknowledge>;

/// What a look has found.
struct Seen {
  State state;
  std::int32_t version = 0;
  Blocks blocks;
  std::int32_t blocks_version = 0;
  std::optional<Entry> entry;  ///< the member's
  std::int32_t entry_version = 0;
  std::string
      lives;  ///< the incarnation of the process that shows itself as the member; empty: none
};

/// What a member has done to its disk and its ring, one thing at a time. Each is on disk, whole,
/// before it is said to be done.
namespace work {
struct KeepMembership {
  Membership membership;
};
struct DropMembership {};
struct KeepRecord {
  Record record;
};
struct DropRecord {};
struct KeepBlocks {
  Blocks blocks;
};
/// Fetches what the change is about and makes it ready: its ring; or the vnodes of a block. It can
/// be refused: no image, another geometry, a pnode without a shard.
struct Stage {
  Change change;
};
/// Puts the ring that the record names into force; stages it first, where this process has not.
struct Activate {
  RingName ring;
};
/// Fetches a ring and puts it into force.
struct Take {
  RingName ring;
};
}  // namespace work
using Work =
    std::variant<work::KeepMembership, work::DropMembership, work::KeepRecord, work::DropRecord,
                 work::KeepBlocks, work::Stage, work::Activate, work::Take>;

/// What a member asks a database, where a plan's coordinator is silent: the plan's row at its
/// source, or at its target.
struct RowQuestion {
  PlanName plan;
  bool at_target = false;
  std::string digest;  ///< of the ring that the member holds for the plan
};
/// What such a row says to that.
enum class RowSays : std::uint8_t {
  /// That a member may act on: the database does not answer, has no such plan, or one that is bound
  /// to another ring; or what it says may be taken back yet by a failover.
  nothing,
  open,     ///< at the source: writes go where they always went. At the target: it takes them now
  fenced,   ///< at the source: nobody writes, and nothing is committed
  decided,  ///< at the source: the ring comes into force
  aborted,  ///< at the source: it never does
};

/// What becomes of requests for the vnodes that a change is about.
struct Door {
  enum class Writes : std::uint8_t { pass, wait, refuse };
  Writes writes = Writes::pass;
  bool reads = true;
  /// By the member's clock; after it reads and writes are refused, too. 0: never.
  std::chrono::nanoseconds until{};
  bool operator==(const Door&) const = default;
};

}  // namespace fleet
