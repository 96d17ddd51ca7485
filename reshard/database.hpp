#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "backends/postgres/wire/identifier.hpp"
#include "backends/postgres/wire/session.hpp"
#include "reshard/journal.hpp"
#include "reshard/plan.hpp"

namespace reshard {

/// An act that could not be done. What is in the databases says what was; the act may be tried
/// again.
struct ActFailed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A table of the source is no longer what this plan has made at the target: `make_schema` makes it
/// like that.
struct TableChanged : ActFailed {
  using ActFailed::ActFailed;
};

/// One that no repetition mends: a person is needed.
struct Stuck : ActFailed {
  using ActFailed::ActFailed;
};

/// Something else comes first, which ends by itself or by a person: a server that is away, another
/// plan, a router. It is waited for, and told by this name; no attempt is counted.
struct Waiting : ActFailed {
  using ActFailed::ActFailed;
};

/// A server that is there and refuses the login: a wrong password, no such database. Nothing mends
/// that but a person; where nothing is blocked the plan stops, and says why.
struct LoginRefused : Waiting {
  using Waiting::Waiting;
};

/// Somebody else is this plan's coordinator, or has become it.
struct NotCoordinator : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A plan's row in a database.
struct PlanRow {
  std::string state;
  std::uint32_t attempt = 0;
  std::uint64_t epoch = 0;
  bool decided = false;
  bool ids_kept = false;  ///< of a target
  std::string token;
};

/// One database of a plan, as its coordinator uses it: two sessions, the plan's row, its barrier.
/// Lives on one thread. Whatever the server refuses, or a lost connection, is a SessionError.
class Database {
 public:
  Database(const Plan& plan, Role role);

  [[nodiscard]] const Side& side() const { return role_ == Role::source ? plan_.from : plan_.to; }
  [[nodiscard]] std::uint64_t number() const { return plan_.number; }
  [[nodiscard]] const Plan& plan() const { return plan_; }
  [[nodiscard]] Role role() const { return role_; }
  [[nodiscard]] const char* role_name() const {
    return role_ == Role::source ? "source" : "target";
  }
  /// How sessions that hold this plan's lock are called in the server's list, and those of the
  /// programs that work for them.
  [[nodiscard]] const std::string& application() const { return application_; }
  backends::postgres::Session& owner() { return *owner_; }
  /// Fires no ordinary trigger.
  backends::postgres::Session& apply() { return *apply_; }

  /// New sessions; the old ones are closed. Throws Waiting where the server can't be reached, and
  /// LoginRefused where it refuses.
  void connect();
  void disconnect();
  [[nodiscard]] bool connected() const { return owner_ != nullptr && apply_ != nullptr; }

  /// Makes this process the plan's coordinator at this side: new sessions, the plan's lock (and
  /// that of the plan which it takes back), the end of older sessions, a new epoch in the plan's
  /// row. Throws Waiting where the server is away, NotCoordinator naming who has it, or the newer
  /// plan that has its vnodes.
  void take(bool by_force);
  /// Since `take`, until `disconnect`.
  [[nodiscard]] bool taken() const { return taken_; }
  /// Whether another coordinator had taken this side after this one's last `take` but one.
  [[nodiscard]] bool taken_by_others() const { return taken_by_others_; }

  /// A plan's lock, for as long as the owner's session lives. Waits a moment for one that is just
  /// ending. `by_force` ends its holder. Both sessions are called `application()` from then on.
  /// Throws NotCoordinator naming the holder.
  void lock(std::uint64_t plan, bool by_force);
  /// Ends what older coordinators of a plan have left running, and waits until it is gone.
  void end_older_sessions(std::uint64_t plan);
  [[nodiscard]] bool has_schema();

  /// nullopt: there is none. Throws NotCoordinator where its token is another plan's.
  std::optional<PlanRow> plan_row();
  void set_epoch(std::uint64_t epoch);
  [[nodiscard]] std::uint64_t epoch() const { return epoch_; }
  /// The row and the membership, in one transaction under one lock of the database, so that two
  /// plans never have a vnode at the same time; what is there stays. `state`: of a new one. Throws
  /// Stuck naming a plan of one of these vnodes that is not over here. At the target of a plan that
  /// copies, rows keep their ids if they may, none of `tables` has a row, and no other plan brings
  /// any.
  void make_plan_row(const std::string& state,
                     const std::vector<backends::postgres::Relation>& tables, bool may_keep_ids);
  /// Vnodes that the plan has here by its rows; those that `leave_all_but` has left are not among
  /// them.
  ring::VnodeSet members();
  /// The plan has these vnodes here still, and no others: other plans may have those. In this
  /// coordinator's epoch; false: it is another's.
  bool leave_all_but(const ring::VnodeSet& vnodes);
  /// The rings of the cutover, in this coordinator's epoch, while the row is in `state`. False: it
  /// is in another one.
  bool bind(const std::string& state, const std::string& base, const std::string& ring);
  /// A plan other than this one that keeps ids here and is not committed here; nullopt: none.
  std::optional<std::uint64_t> plan_that_keeps_ids();
  /// Another plan that is not over, or in that state; nullopt: there is none.
  std::optional<std::uint64_t> plan_beside(const std::string& state = "");
  /// From one of `from` (a list for SQL's IN) to `to`, in this coordinator's epoch; also where it
  /// is `to` already. False: it is in another state. `more`: further assignments.
  bool set_state(const std::string& from, const std::string& to, const std::string& more = "");
  /// A committed row: no failover takes it back. Not on disk at once: who needs that flushes.
  void decide();

  /// Of both sessions. A limit for statements is the server's, one for answers this side's.
  void limit_statements(std::uint64_t milliseconds);
  /// Prepares the call, has its plan made by running it once, and then limits statements to so many
  /// milliseconds. Holds until `unlimit`. Throws SessionError.
  void ready_for_block(std::uint64_t milliseconds, const backends::postgres::Call& call);
  /// Statements have no limit any more, and are planned for their values again. Throws
  /// SessionError.
  void unlimit();
  void answer_until(std::optional<std::chrono::steady_clock::time_point> time);

  /// What the server is, and whether what it has logged by now is safe; of one look.
  struct Standing {
    ServerIdentity identity;
    std::string unflushed;  ///< empty: its standbys have all of it on disk; else what to wait for
  };
  /// In two halves, so that two servers look at once.
  void ask_standing();
  Standing standing();
  ServerIdentity identity();
  /// Whether no writer holds this plan's lock, or that of an older plan of the same vnodes.
  bool barrier_open();
  /// Ends the transactions that hold the barrier back.
  void end_writers();
  /// The transactions, by PostgreSQL's names of them, that have written to one of these tables, or
  /// are about to.
  std::vector<std::string> writers_of(const std::vector<backends::postgres::Relation>& tables);
  /// One of those, for people: `process 17 (psql, user moray)`, or a prepared transaction's name.
  std::string writer_named(const std::string& writer);
  /// A transaction that keeps triggers from being put on a table.
  struct Holder {
    std::string name;    ///< for people, with what it is doing; empty: nobody that shows
    int autovacuum = 0;  ///< its process, if it is an autovacuum's
  };
  Holder holder_of(const std::string& table);
  /// Whether a transaction that holds the barrier back is older than that.
  bool has_writers_since(std::chrono::milliseconds age);
  /// Who holds the barrier back, for people; empty: nobody.
  std::string writers_named();
  struct LogSize {
    std::uint64_t entries = 0;
    std::uint64_t bytes = 0;  ///< that they take in the table and its index, about
  };
  /// Of the log entries of this plan's vnodes, whichever plan wrote them. O(entries) of the server.
  LogSize log_size();
  /// Who holds a lock that a process of this server waits for, asked over another session, which
  /// must answer within a second; for people. Empty: nobody.
  static std::string blocker_of(int process, backends::postgres::Session& over);
  /// Log entries of this plan's vnodes go, but for those of newer plans that are not aborted.
  /// Asynchronous.
  void drop_log();
  /// Plans of these vnodes whose logs and locks are this plan's affair: the older ones, and this.
  const std::vector<std::uint64_t>& plans();
  void find_older_plans();
  /// As SQL: `17,12`.
  std::string plan_list();

  /// Empty where the standbys that are connected have on disk all that the server has logged by
  /// now; else the position to wait for.
  std::string unflushed();
  bool flushed(const std::string& position);

 private:
  void name_sessions();
  void require_here_before(backends::postgres::Session& session);
  std::string writers_sql();

  const Plan& plan_;
  Role role_;
  std::string number_, application_;
  std::uint64_t epoch_ = 0;
  std::vector<std::uint64_t> plans_;
  bool schema_known_ = false;
  bool taken_ = false;
  bool taken_by_others_ = false;
  std::unique_ptr<backends::postgres::Session> owner_, apply_;
};

}  // namespace reshard
