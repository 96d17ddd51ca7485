#pragma once

#include <array>
#include <cstdint>

#include "tests/sim/few.hpp"
#include "tests/sim/journal.hpp"
#include "tests/sim/ring.hpp"
#include "tests/sim/rules.hpp"

namespace sim {

using PlanId = int;
using TransactionId = int;

inline constexpr std::int8_t kNoVnode = -1;

/// A key's row, or that it has none.
struct Slot {
  int last = 0;  ///< version of the last write that is known here, a delete's too; 0: none is
  int id = 0;
  std::int8_t unique = 0;         ///< 0: none; else no two rows may have it
  std::int8_t stored = kNoVnode;  ///< `_vnode`, which may be NULL, or wrong
  bool present = false;
  bool left_over = false;  ///< was there before the run, at a shard that does not own it
};

enum class State : std::uint8_t {
  preparing,
  capturing,
  fenced,
  committed,
  cleaning,
  done,
  aborted,
  guarded
};

struct PlanRow {
  PlanId plan = 0;
  PlanId reverts = 0;
  bool source = false;  ///< in this database the plan's vnodes are moved away
  State state = State::preparing;
  Vnodes vnodes = 0;
  int attempt = 0;
  int epoch = 0;
  bool decided = false;  ///< committed, and no failover can take that back
  bool ids_kept = false;
  std::uint32_t base = 0, next = 0;  ///< digests of rings; 0: not bound
};

struct LogEntry {
  int sequence = 0;
  std::int8_t plan = 0;
  std::int8_t key = 0;
};
using Log = Few<LogEntry, 48>;

/// What a transaction changes, whole, when it commits.
struct Changes {
  struct Row {
    Key key = 0;
    Slot slot;
  };
  Few<Row, kKeys> rows;
  Log log;
};

/// What a trigger makes of a write to a row.
struct Judgement {
  PlanId plan = 0;  ///< 0: none concerns it
  bool refused = false;
  bool logs = false;
  bool locks = false;  ///< the plan's advisory lock is taken, shared, and the state read again
};

/// One PostgreSQL database, as far as resharding sees it. Transactions are the callers' affair:
/// they hold locks here and commit their changes whole.
class Database {
 public:
  /// A copy of everything that a crash may take back.
  struct Content {
    std::array<Slot, kKeys> slots{};
    Few<PlanRow, kPlansMost> plans;
    Log log;
    Table table;
    int timeline = 1;
    std::array<KeptJournal, kPlansMost> journals{};  ///< by mission, where they are kept here
  };

  explicit Database(const Rules& rules) : rules_(rules) {}

  Content now;
  int last_id = 0;  // sequences are not transactional
  int next_sequence = 1;
  bool may_fail_over = false;
  bool lagging_standby = false;  ///< commits reach it later: a failover loses the last ones
  long away_until = 0;           ///< nobody reaches it until then
  int transactions_ended = 0;    ///< rises when all that ran were ended

  Slot& slot(Key key) { return now.slots[static_cast<std::size_t>(key)]; }
  [[nodiscard]] const Slot& slot(Key key) const { return now.slots[static_cast<std::size_t>(key)]; }
  PlanRow* plan(PlanId plan);
  [[nodiscard]] Judgement judge(int vnode, bool stored) const;
  /// The newest plan of the vnode that counts: an aborted one does not.
  [[nodiscard]] const PlanRow* newest(int vnode) const;
  /// As the view `reshard_side`: rows of that stored vnode are another shard's, by that ring.
  [[nodiscard]] bool hides(int stored, std::uint32_t ring) const;
  /// Neither aborted nor done, nor taken back.
  [[nodiscard]] bool under_way(const PlanRow& row) const;
  /// A plan that has a vnode of these and is not over here; 0: none.
  [[nodiscard]] PlanId conflict(Vnodes vnodes, PlanId plan, PlanId reverts) const;
  /// Whether a vnode has left, or has come: it can't leave, or come, once more.
  [[nodiscard]] bool elsewhere(Vnodes vnodes, bool leaves) const;
  [[nodiscard]] bool empty() const;

  void log(int plan, Key key);
  void lock_shared(PlanId plan, TransactionId holder) { shared_.push_back({plan, holder}); }
  bool lock_row(Key key, TransactionId holder);
  /// Every writer has the table's lock from its first statement on.
  void lock_table(TransactionId holder) { writers_.push_back(holder); }
  [[nodiscard]] const Few<TransactionId, 16>& writers() const { return writers_; }
  TransactionId exclusive = 0;  ///< who has the table for itself, to change it
  void unlock(TransactionId holder);
  /// Whether an exclusive lock of the plan would be granted: `older` ones of its vnodes too.
  [[nodiscard]] bool barrier_open(PlanId plan);

  /// False: a unique value is taken, and nothing is changed.
  bool commit(const Changes& changes, bool synchronous = true);
  /// After a change of `now` by hand, in a transaction of its own.
  void committed(bool synchronous = true);
  /// Its standby, where it has one that may lag, has everything.
  [[nodiscard]] bool flushed() const { return !lagging_standby || unflushed_ == 0; }
  void replicate();  ///< the standby catches up
  /// The standby takes over: whatever it has not got is gone, and so is every transaction.
  void fail_over();
  /// It starts anew: every transaction is gone.
  void restart();

 private:
  struct Shared {
    PlanId plan = 0;
    TransactionId holder = 0;
  };
  const Rules& rules_;
  Content standby_;
  int unflushed_ = 0;
  Few<Shared, 48> shared_;
  std::array<TransactionId, kKeys> row_locks_{};
  Few<TransactionId, 16> writers_;
};

}  // namespace sim
