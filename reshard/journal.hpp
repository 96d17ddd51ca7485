#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "reshard/plan.hpp"
#include "reshard/records/records.hpp"
#include "reshard/settings.hpp"
#include "reshard/step.hpp"

namespace reshard {

class Plans;

/// A database server as it is told apart from what it was, or from another: after a failover or a
/// restart at least one of these differs.
struct ServerIdentity {
  std::string timeline, started, address;
  bool operator==(const ServerIdentity&) const = default;
};

/// The ring that all routers were on when a cutover was begun, and the one that it ends with; by
/// their digests. Empty: none is bound.
struct BoundRings {
  std::string before, after;
  bool operator==(const BoundRings&) const = default;
};

/// A moved table as it was when its copy began: what is there by its name must be that still.
struct KnownTable {
  std::string source, target;  ///< their oids
  bool operator==(const KnownTable&) const = default;
};

/// What becomes of the site's lock, in State.
inline constexpr const char* kLockTaken = "taken";  ///< by a hook that runs, or has failed
inline constexpr const char* kLockHeld = "held";
inline constexpr const char* kLockGivenBack = "given back";  ///< by a hook that runs

/// What outlives a coordinator, beside the databases.
struct State {
  Progress progress;
  std::uint64_t coordinators = 0;  ///< that the plan has had
  BoundRings bound;
  /// Of the moved tables' definitions at source and target, as all was compared last (or, before
  /// that, as the copy began). Empty: not noted yet.
  std::array<std::string, 2> versions;
  std::map<std::string, KnownTable> tables;  ///< by bucket
  /// Of source and target: transactions that wrote to the moved tables when the plan's rows had
  /// just been made. None: not noted yet.
  std::optional<std::array<std::vector<std::string>, 2>> older_writers;
  std::optional<std::array<ServerIdentity, 2>>
      identities;  ///< source, target: as all was compared last
  std::map<std::string, std::uint64_t>
      copied;  ///< by bucket: vnodes whose rows are there, from the first on
  std::map<std::string, bool> hooks_done;
  std::string lock;          ///< empty: the plan does not hold the site's lock
  std::string lock_since;    ///< ISO time
  std::string caches_until;  ///< not empty: it is to be waited until routers hide rows that are not
                             ///< the shard's
  std::string soak_until;    ///< ISO time; empty: it has not begun
  std::optional<std::uint64_t> soak_seconds;  ///< by which that was counted; none: the plan's own
  std::string stopped;                        ///< why a person is needed; empty: nobody is
  std::string irreversible;                   ///< why there is no way back; empty: there is one
  std::vector<std::string> dumped;            ///< what pg_dump has written down, as SQL names it
  bool log_given_up = false;  ///< for good: the log for the way back has come to its bound
  bool paused = false;
  std::uint64_t taken_back_by = 0;  ///< the plan that took this one back; 0: none
  bool operator==(const State&) const = default;
};

/// A plan, and what is recorded of it: states, one after the other; what people ask of a running
/// coordinator; options that they change; and what the coordinator shows. `Records` say where that
/// is kept. One process records at a time (the plan's advisory locks see to that), any may read and
/// ask. A process that was stopped, and does not know that another one has the plan since, may
/// still record: by its name and its epochs that is passed by. Lives on one thread.
class Journal {
 public:
  /// `plans`: where it is kept, with the others.
  Journal(Plan plan, std::unique_ptr<Records> records, std::shared_ptr<Plans> plans);

  [[nodiscard]] const Plan& plan() const { return plan_; }
  [[nodiscard]] Plans& plans() const { return *plans_; }

  /// As last recorded by the coordinator that has it: what another one, which did not know that it
  /// had been replaced, has recorded after that is not read. Throws as Records::lines, and
  /// std::runtime_error where another version of the program has written what this one can't read.
  [[nodiscard]] State read() const;
  /// Kept when it returns. Where it throws, nothing is known to be recorded. `by`: the sides that
  /// the coordinator has taken. Throws as Records::append.
  void record(const State& state, const std::string& event, const Tenure& by = {});
  /// The same, by one that has just become the coordinator, or acts in its place. Where that fails,
  /// the next record is the first.
  void record_first(const State& state, const std::string& event, const Tenure& by = {});
  /// The record's lines, oldest first; none where the plan has no record yet. Throws as
  /// Records::lines.
  [[nodiscard]] std::vector<std::string> history() const { return records_->lines(); }

  /// A coordinator begins to carry the plan on.
  void carried_on() { records_->carried_on(); }
  /// It has taken a side. Throws SessionError.
  void taken(Role role, const TakenSide& side);
  /// It has let all of them go.
  void let_go() { records_->let_go(); }

  /// What people ask of a running coordinator, by name: `pause`, to stop before its next act that
  /// may be waited with; `finalize`, to end the soak; `retry`, to look now whether a soaking plan
  /// is reversible again; `repair`, to bring rows again that differ though nobody knows why; and to
  /// open a gate, by `gate_ask`. Throws as Records::ask.
  void ask(const std::string& what) const { records_->ask(what); }
  void unask(const std::string& what) const { records_->unask(what); }
  /// False also where that can't be told. Never throws.
  [[nodiscard]] bool asked(const std::string& what) const { return asked_at(what).has_value(); }
  /// One ask is told from a later one by this; nullopt: it is not asked. Never throws.
  [[nodiscard]] std::optional<std::string> asked_at(const std::string& what) const {
    return records_->asked_at(what);
  }

  /// Options that were changed since the plan was made. Throws as Records::options, and
  /// std::runtime_error where they can't be understood.
  [[nodiscard]] Settings settings() const;
  void set(const Settings& settings) const { records_->set_options(to_json_text(settings)); }

  /// What a process shows of itself, several times a second; not synced, never trusted. `json`: an
  /// object's text; `metrics`: the same for Prometheus (`metrics.prom`, whole at any time), empty:
  /// they stay. `coordinator`: at the sides that it has taken; nullopt: it has not the plan, as far
  /// as it knows. What a coordinator with later epochs shows stays; and one that waits to become
  /// the coordinator overwrites nothing that the coordinator has just shown. Never throws.
  void show(const std::string& json, const std::string& metrics,
            std::optional<Epochs> coordinator) const;
  [[nodiscard]] std::string shown() const { return records_->shown(); }

  /// For files that may go at any time; there when it returns, if it can be made.
  [[nodiscard]] const std::filesystem::path& directory() const { return records_->directory(); }

 private:
  void append_record(const State& state, const std::string& event, bool first, const Tenure& by);

  std::string writer_;  ///< random: who wrote a record
  bool owes_first_ = false;
  Plan plan_;
  std::unique_ptr<Records> records_;
  std::shared_ptr<Plans> plans_;
};

/// The first record of a plan, as a line: what it begins with.
std::string first_line(const State& state, const std::string& event);

/// The name by which a gate is asked to be open.
inline std::string gate_ask(const std::string& gate) { return "open-" + gate; }

}  // namespace reshard
