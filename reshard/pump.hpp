#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "reshard/rows.hpp"

namespace reshard {

/// Keys by bucket, as the log names them.
using KeysByTable = std::map<std::string, std::set<std::string>>;

/// Carries what a log names from one database to the other. One cycle: the whole log and its keys'
/// rows, in one snapshot; one transaction that makes those keys at the other side what they are
/// here; then exactly those entries go. A cycle that is cut off anywhere is repeated by the next
/// one.
class Pump {
 public:
  static constexpr std::uint64_t kAppliedMost = 1'000'000;  ///< keys that are remembered

  /// `state`: of the plan's row at `to`, while it may be written to. `alarm`: told of what a person
  /// should see.
  Pump(Database& from, Database& to, std::string state,
       std::function<void(const std::string&)> alarm);

  /// Whether new rows get ids of the side that they come to (the default), or keep their own.
  void issue_ids_anew(bool anew) { ids_issued_anew_ = anew; }

  /// The tables by their buckets' names. Must be told before the first cycle, and when they change.
  void set_tables(std::map<std::string, TablePair> tables) { tables_ = std::move(tables); }
  [[nodiscard]] const std::map<std::string, TablePair>& tables() const { return tables_; }

  /// Entries applied; 0: there were none. Throws ActFailed, NotCoordinator or SessionError.
  std::uint64_t cycle();
  /// A log entry for each, as if they had just been written.
  void log(const std::string& bucket, const std::vector<std::string>& keys);

  /// Applied since the last `forget_applied`; not all of them where they were too many to be kept.
  [[nodiscard]] const KeysByTable& applied() const { return applied_; }
  [[nodiscard]] bool applied_overflown() const { return applied_count_ > kAppliedMost; }
  [[nodiscard]] std::uint64_t applied_count() const { return applied_count_; }
  void forget_applied();

 private:
  struct Entries;
  static Entries read_log(const backends::postgres::Rows& rows);
  std::uint64_t cycle_once(Entries& entries);
  void apply(const Entries& entries);
  void make_room(const backends::postgres::SessionError& taken);

  Database& from_;
  Database& to_;
  std::string state_;
  bool ids_issued_anew_ = true;
  std::function<void(const std::string&)> alarm_;
  std::map<std::string, TablePair> tables_;
  KeysByTable applied_;
  std::uint64_t applied_count_ = 0;
};

}  // namespace reshard
