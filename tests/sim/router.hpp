#pragma once

#include <array>
#include <memory>

#include "tests/sim/database.hpp"

namespace sim {

/// A plan's next ring, on a router's disk.
struct Pending {
  PlanId plan = 0;
  int epoch = 0;  ///< of the coordinator that prepared it
  Vnodes vnodes = 0;
  int from = 0, to = 0;
  Ring next;
};

class RealControl;

struct Router {
  Ring ring;        ///< in force
  Pending pending;  ///< none where its plan is 0
  /// What was activated, on disk until its target takes writes: finds by a third ring would see
  /// its vnodes nowhere before.
  Pending opening;
  bool staged = false;  ///< it is in memory, too; a restart forgets it
  Vnodes blocked = 0;
  std::array<int, kVnodes> in_flight{};  ///< writes
  bool leased = false;
  long lease_until = 0;
  long jump = 0;  ///< of the wall's clock
  bool up = true;
  int incarnation = 0;
  long deaf_until = 0;  ///< to coordinators, and its questions to databases wait
  std::array<PlanId, kVnodes> newest_plan{};       ///< that was prepared for a vnode, on disk
  std::array<int, kPlansMost + 1> newest_epoch{};  ///< of a plan's coordinators, on disk

  enum class Renewal : std::uint8_t { none, asked, read } renewal = Renewal::none;
  long asked_at = 0;
  bool read_found = false;
  PlanRow read;
  PlanId read_of = 0;

  /// Decides in place of the model's own account of a router; null: that does.
  std::shared_ptr<RealControl> control;

  [[nodiscard]] bool holds_pending() const { return pending.plan != 0; }
  /// What was blocked for it is not any more: nobody else would open that.
  void abandon() {
    blocked = static_cast<Vnodes>(blocked & ~pending.vnodes);
    forget_pending();
  }
  void forget_pending() {
    pending = {};
    staged = false;
    leased = false;
  }
};

/// A client's write, from its router to its answer.
struct Writer {
  enum class Step : std::uint8_t { idle, judge, lock, judge_again, rows, commit, answer };
  struct Put {
    Key key = 0;
    bool deletes = false;
    std::int8_t unique = 0;
    Judgement judgement;
    int version = 0;
  };
  Step step = Step::idle;
  int router = 0;  // -1: the zombie
  int incarnation = 0;
  int database = 0;
  Few<Put, kKeys> puts;
  Vnodes vnodes = 0;
  bool loses_vnode = false;  // a batch put of an old router
  bool by_filter = false;
  Vnodes owned = 0;        // by the router's ring, of the shard that it writes to
  bool counted = false;    // in its router's in_flight
  bool at_ease = false;    // no change of the ring had made its router hold writes
  bool activated = false;  // by a ring that a plan has just brought
  long pause = 0;          // a slow statement: it goes on then
  TransactionId transaction = 0;
  int ended = 0;
  Log log;
};

/// A client's read: planned by a ring, sent, looked at by each shard, answered.
struct Reader {
  enum class Step : std::uint8_t { idle, planned, sent, answer };
  Step step = Step::idle;
  int router = 0;
  int incarnation = 0;
  bool finds = false;  ///< by a filter, on all shards; else one key is got
  Key key = 0;
  Ring ring;
  std::uint8_t shards = 0;           ///< that have not looked yet
  std::array<int, kKeys> started{};  ///< the newest that anybody had seen
  std::array<int, kKeys> found{};    ///< versions; deletes and what is not there: see absent
  std::array<std::int8_t, kKeys> times{};
  std::array<int, kKeys> at{};
  long pause = 0;
};

/// A person who edits the ring, one router after another.
struct Edit {
  bool active = false;
  bool remaps = false;  ///< the vnode without keys; else sets data of one
  int vnode = 0;
  std::uint8_t value = 0;
  std::uint8_t done = 0;  ///< routers
};

/// A person who changes a table, and what that transaction wrote unlogged.
struct TableChange {
  enum class Kind : std::uint8_t { none, swap, off_and_on, stays_off } kind = Kind::none;
  int database = 0;
  int ended = 0;
  long until = 0;
  TransactionId transaction = 0;
  Key key = -1;
};

}  // namespace sim
