#pragma once

#include <cstdint>
#include <optional>

#include <boost/container/flat_map.hpp>
#include <boost/container/flat_set.hpp>
#include <boost/container/small_vector.hpp>
#include <boost/container/static_vector.hpp>

#include "tests/sim/rules.hpp"

namespace sim {

using Key = int;
using PlanId = int;
using TransactionId = int;

/// Keys below this are of the vnode that moves, the others of one that stays.
inline constexpr Key kMovingKeys = 3;
inline constexpr Key kKeys = 5;
inline bool moves(Key key) { return key < kMovingKeys; }

/// Worlds are copied whole at each commit, a million of them are run, and all in them is few: so
/// nothing is allocated.
template <typename T>
using Few = boost::container::small_vector<T, 8>;
template <typename T>
using ByKey = boost::container::flat_map<Key, T, std::less<>,
                                         boost::container::static_vector<std::pair<Key, T>, kKeys>>;
using Keys =
    boost::container::flat_set<Key, std::less<>, boost::container::static_vector<Key, kKeys>>;

struct Row {
  int version = 0;  ///< of the write that made it: rises from write to write
  int id = 0;
  int unique = 0;         ///< 0: none; else no two rows may have it
  bool has_vnode = true;  ///< false: `_vnode` is NULL
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
  bool source = false;  ///< in this database the plan's vnodes are moved away
  State state = State::preparing;
  int attempt = 0;
  int epoch = 0;
  bool decided = false;  ///< committed, and no failover can take that back
};

struct LogEntry {
  int sequence = 0;
  Key key = 0;
};

/// What a transaction changes, whole, when it commits.
struct Changes {
  Few<std::pair<Key, std::optional<Row>>> rows;  ///< nullopt: deleted
  ByKey<int> versions;                           ///< of those keys; 0: given at the commit
  Few<LogEntry> log;
};

/// What a trigger makes of a write to a moving row.
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
    ByKey<Row> rows;
    ByKey<int> last;  ///< version of a key's last change, deletes included: what a reader sees
    Keys deleted;     ///< keys whose last change that was
    Few<PlanRow> plans;
    Few<LogEntry> log;
    int timeline = 1;
  };

  explicit Database(const Rules& rules) : rules_(rules) {}

  Content now;
  int last_id = 0;  // sequences are not transactional
  int next_sequence = 1;
  bool lagging_standby =
      false;  ///< commits reach the standby later: a failover loses the last ones

  [[nodiscard]] Judgement judge(bool vnode_known) const;
  PlanRow* plan(PlanId plan);
  /// The newest plan of the vnode that counts: an aborted one does not.
  [[nodiscard]] const PlanRow* newest() const;

  void lock_shared(PlanId plan, TransactionId holder) { shared_.emplace_back(plan, holder); }
  bool lock_row(Key key, TransactionId holder);
  /// A write to a table that has no trigger yet: CREATE TRIGGER waits for it.
  void lock_table(TransactionId holder) { without_trigger_.push_back(holder); }
  [[nodiscard]] bool triggers_may_come() const { return without_trigger_.empty(); }
  void unlock(TransactionId holder);
  /// Whether an exclusive lock of the plan would be granted: `older` ones of the vnode too.
  [[nodiscard]] bool barrier_open(PlanId plan) const;

  /// False: a unique value is taken, and nothing is changed.
  bool commit(const Changes& changes, int version, bool synchronous = true);
  /// After a change of `now` by hand, in a transaction of its own.
  void committed(bool synchronous = true);
  /// Its standby, where it has one that may lag, has everything.
  [[nodiscard]] bool flushed() const { return !lagging_standby || unflushed_ == 0; }
  void replicate();  ///< the standby catches up
  /// The standby takes over: whatever it has not got is gone, and so is every transaction.
  void fail_over();
  int transactions_ended = 0;  ///< rises when all that ran were ended

 private:
  const Rules& rules_;
  Content standby_;
  int unflushed_ = 0;
  Few<std::pair<PlanId, TransactionId>> shared_;
  ByKey<TransactionId> row_locks_;
  Few<TransactionId> without_trigger_;
};

}  // namespace sim
