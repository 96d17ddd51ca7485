#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "reshard/plan.hpp"
#include "reshard/step.hpp"

namespace reshard {

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

/// By how many coordinators each side of a plan had been taken when one became its coordinator; 0:
/// that one has not taken that side.
struct Epochs {
  std::uint64_t source = 0, target = 0;
  /// Another coordinator, which has taken a side of this one's, has done so later.
  [[nodiscard]] bool outranked_by(const Epochs& other) const {
    return (source != 0 && other.source > source) || (target != 0 && other.target > target);
  }
  bool operator==(const Epochs&) const = default;
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
  bool log_given_up = false;  ///< for good: the log for the way back has come to its bound
  bool paused = false;
  std::uint64_t taken_back_by = 0;  ///< the plan that took this one back; 0: none
  bool operator==(const State&) const = default;
};

/// A plan's directory: the plan, written once; `journal.jsonl`, to which each record is appended
/// and synced; and what people ask of a running coordinator. One process writes the journal (the
/// plan's advisory locks see to that), any may read and ask. A process that was stopped, and does
/// not know that another one has the plan since, may still write: by its name and its epochs what
/// it writes is passed by. Throws std::system_error or std::runtime_error, naming the path.
class Journal {
 public:
  /// The directory of a plan that is there.
  explicit Journal(std::filesystem::path directory);
  /// Makes the directory of a new one.
  static Journal create(const std::filesystem::path& plans, const Plan& plan);

  [[nodiscard]] const Plan& plan() const { return plan_; }
  /// As last recorded by the coordinator that has it: what another one, which did not know that it
  /// had been replaced, has written after that is not read.
  [[nodiscard]] State read() const;
  /// On disk when it returns: one fsync. Where it throws, nothing is known to be recorded.
  void record(const State& state, const std::string& event);
  /// The same, by one that has just become the coordinator, or acts in its place. Where that fails,
  /// the next record is the first. `epochs`: at the sides that it has taken.
  void record_first(const State& state, const std::string& event, Epochs epochs = {});
  /// The record's lines, oldest first; none where the plan has no record yet.
  [[nodiscard]] std::vector<std::string> history() const;

  /// What people ask of a running coordinator, by name: `pause`, to stop before its next act that
  /// may be waited with; `finalize`, to end the soak; `retry`, to look now whether a soaking plan
  /// is reversible again; `repair`, to bring rows again that differ though nobody knows why; and to
  /// open a gate, by `gate_ask`.
  void ask(const std::string& what) const;
  void unask(const std::string& what) const;
  /// False also where that can't be told. Never throws.
  [[nodiscard]] bool asked(const std::string& what) const;
  /// When it was asked, so that one ask is told from a later one; nullopt: it is not. Never throws.
  [[nodiscard]] std::optional<std::filesystem::file_time_type> asked_at(
      const std::string& what) const;

  /// What a process shows of itself, several times a second; not synced, never trusted. `json`: an
  /// object's text; `metrics`: the same for Prometheus (`metrics.prom`, whole at any time), empty:
  /// they stay. `coordinator`: at the sides that it has taken; nullopt: it has not the plan, as far
  /// as it knows. What a coordinator with later
  /// epochs shows stays; and one that waits to become the coordinator overwrites nothing that the
  /// coordinator has just shown. Never throws: a file that can't be written stays as it was.
  void show(const std::string& json, const std::string& metrics,
            std::optional<Epochs> coordinator) const;
  [[nodiscard]] std::string shown() const;

  [[nodiscard]] const std::filesystem::path& directory() const { return directory_; }

 private:
  void append_record(const State& state, const std::string& event, bool first);

  std::string writer_;  ///< random: who wrote a record
  Epochs epochs_;
  bool owes_first_ = false;
  std::filesystem::path directory_;
  Plan plan_;
};

/// The name by which a gate is asked to be open.
inline std::string gate_ask(const std::string& gate) { return "open-" + gate; }

/// The numbers of the plans of a directory, ascending.
std::vector<std::uint64_t> plans_in(const std::filesystem::path& plans);

}  // namespace reshard
