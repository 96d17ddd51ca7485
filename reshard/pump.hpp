#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "reshard/key_set.hpp"
#include "reshard/rows.hpp"

namespace reshard {

struct TakenValue;

/// A moved table's definition is another one than was expected.
struct TablesChanged : ActFailed {
  using ActFailed::ActFailed;
};

/// By bucket: a plan's vnodes up to and with this one have been copied. Others have not.
using CopiedVnodes = std::map<std::string, std::uint64_t>;

/// Carries what a log names from one database to the other. One cycle: the log and its keys' rows,
/// in one snapshot of the one side, in the order of the keys and part by part; for each part one
/// transaction that makes its keys at the other side what they are in the snapshot; then exactly
/// the part's entries go. A cycle that is cut off anywhere is repeated by the next one. Memory: one
/// part's keys (`kPartBytes`) and a batch of rows (`kRowBytesAtOnce`), however long the log is and
/// however large its rows are; and what `applied` remembers. Lives on one thread.
class Pump {
 public:
  static constexpr std::uint64_t kAppliedBytes = 96 << 20;  ///< of keys that are remembered

  /// `state`: of the plan's row at `to`, while it may be written to. `alarm`: told of what a person
  /// should see.
  Pump(Database& from, Database& to, std::string state,
       std::function<void(const std::string&)> alarm);

  /// Whether new rows get ids of the side that they come to (the default), or keep their own.
  void issue_ids_anew(bool anew) { ids_issued_anew_ = anew; }

  /// The tables by their buckets' names. Must be told before the first cycle, and when they change.
  void set_tables(std::map<std::string, TablePair> tables) { tables_ = std::move(tables); }
  [[nodiscard]] const std::map<std::string, TablePair>& tables() const { return tables_; }

  /// The version that the tables of the side that is pumped from must have (`version_call`), in
  /// each cycle's own snapshot: what was written to a table that is not what it was is left in the
  /// log, and the cycle throws TablesChanged. Empty: any.
  void expect_version(backends::postgres::Call call, std::string version) {
    version_call_ = std::move(call);
    version_ = std::move(version);
  }

  /// Entries applied; 0: there were none. Throws ActFailed, NotCoordinator or SessionError.
  std::uint64_t cycle();
  /// The same beside a copy, between two of its groups: only entries of vnodes that are copied.
  std::uint64_t cycle_beside_copy(const CopiedVnodes& copied);
  /// Of rows, that the last cycle carried over.
  [[nodiscard]] std::uint64_t cycle_bytes() const { return cycle_bytes_; }
  /// A log entry for each, as if they had just been written.
  void log(const std::string& bucket, const std::vector<std::string>& keys);

  /// Applied since the last `forget_applied`; not all of them where they were too many to be kept.
  [[nodiscard]] const KeysByTable& applied() const { return applied_; }
  [[nodiscard]] bool applied_overflown() const { return applied_overflown_; }
  /// Keys of all cycles; one of two cycles counts twice.
  [[nodiscard]] std::uint64_t applied_count() const { return applied_count_; }
  /// Of the process's memory.
  [[nodiscard]] std::uint64_t applied_bytes() const;
  void forget_applied() { static_cast<void>(take_applied()); }
  /// Forgets them, and gives them away.
  KeysByTable take_applied();

 private:
  struct Part;
  struct Pass {
    std::uint64_t entries = 0, keys = 0, left = 0;
  };
  /// Keys whose rows stay out, by bucket.
  using KeysLeft = std::map<std::string, std::set<std::string>>;
  std::uint64_t cycle_of(const CopiedVnodes* copied);
  Pass pass(const CopiedVnodes* copied, bool make_room);
  KeysLeft apply(const Part& part, Taken taken);
  void remember(const Part& part);
  bool make_room();
  void make_room_for(const TablePair& pair, const TakenValue& taken);
  [[nodiscard]] Table target_of(const TablePair& pair) const;

  Database& from_;
  Database& to_;
  std::string state_;
  bool ids_issued_anew_ = true;
  std::function<void(const std::string&)> alarm_;
  std::map<std::string, TablePair> tables_;
  backends::postgres::Call version_call_;
  std::string version_;
  std::map<std::string, std::vector<std::string>>
      refused_;         // keys of a part, one of whose values is taken
  bool counts_ = true;  // directories, where the tables' are counted
  std::uint64_t cycle_bytes_ = 0;
  KeysByTable applied_;
  std::uint64_t applied_count_ = 0;
  bool applied_overflown_ = false;
};

}  // namespace reshard
