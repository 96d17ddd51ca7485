#include "reshard/pump.hpp"

#include <algorithm>

#include "backends/postgres/failure.hpp"
#include "backends/postgres/identifier.hpp"
#include "reshard/schema.hpp"

namespace reshard {
namespace {

using backends::postgres::literal;
using backends::postgres::Rows;
using backends::postgres::Session;
using backends::postgres::SessionError;

constexpr std::uint64_t kConflictsMost = 1'000;  ///< in one cycle; then something else is wrong

}  // namespace

struct Pump::Entries {
  std::vector<std::uint64_t> sequences;
  KeysByTable keys;
};

Pump::Pump(Database& from, Database& to, std::string state,
           std::function<void(const std::string&)> alarm)
    : from_(from), to_(to), state_(std::move(state)), alarm_(std::move(alarm)) {}

/// Entries of the plan's vnodes, whichever plan's trigger wrote them: an aborted rollback leaves
/// its own to the plan that goes on, and what an ended plan's last writer has left is nobody's.
Pump::Entries Pump::read_log(const Rows& rows) {
  Entries entries;
  for (int i = 0; i < rows.count(); ++i) {
    entries.sequences.push_back(std::stoull(std::string(rows.text(i, 0))));
    entries.keys[std::string(rows.text(i, 1))].emplace(rows.text(i, 2));
  }
  return entries;
}

void Pump::apply(const Entries& entries) {
  Applying transaction(to_, state_);
  for (const auto& [bucket, keys] : entries.keys) {
    const auto pair = tables_.find(bucket);
    if (pair == tables_.end())
      throw ActFailed("the log names a bucket that is not moved: " + bucket);
    const std::vector<std::string> all(keys.begin(), keys.end());
    Replacement replacement(to_, pair->second.target, all, ids_issued_anew_);
    for (const auto& some : in_parts(all))
      replacement.add(rows_of(from_.owner(), pair->second.source, pair->second.target, some));
    replacement.finish();
  }
  transaction.commit();
}

/// The snapshot is that of the first statement, and rows are read in it.
std::uint64_t Pump::cycle_once(Entries& entries) {
  {
    Transaction snapshot(
        from_.owner(),
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT l.seq, l.bucket, l.key FROM "
        "moray_router.reshard_log l JOIN moray_router.reshard_vnode v ON v.vnode = l.vnode AND "
        "v.plan = " +
            std::to_string(from_.number()));
    entries = read_log(snapshot.first());
    if (!entries.sequences.empty()) apply(entries);
    snapshot.commit();
  }
  if (entries.sequences.empty()) return 0;
  // Entries that are lost in a crash are applied once more, which changes nothing.
  Transaction deletion(from_.owner(),
                       "BEGIN; SET LOCAL synchronous_commit = off; DELETE FROM "
                       "moray_router.reshard_log WHERE seq = ANY(" +
                           number_array(entries.sequences) + ")");
  deletion.commit();
  return entries.sequences.size();
}

std::uint64_t Pump::cycle() {
  for (std::uint64_t conflicts = 0;; ++conflicts) {
    Entries entries;
    try {
      if (cycle_once(entries) == 0) return 0;
    } catch (const SessionError& error) {
      if (error.sqlstate != "23505" || conflicts >= kConflictsMost) throw;
      make_room(error);
      continue;
    }
    for (auto& [bucket, keys] : entries.keys) {
      applied_count_ += keys.size();
      if (!applied_overflown()) applied_[bucket].merge(keys);
    }
    return entries.sequences.size();
  }
}

void Pump::log(const std::string& bucket, const std::vector<std::string>& keys) {
  from_.owner().run(
      "INSERT INTO moray_router.reshard_log (plan, vnode, bucket, key) SELECT $1::bigint, "
      "moray_router.vnode_of($2, key), $2, key FROM unnest(" +
          text_array(keys) + ") key",
      {std::to_string(from_.number()), bucket});
}

/// A row that is not in the cycle has a unique value of one that is. If it moves, too, it gets an
/// entry at its source first, and is taken away then: the next cycle brings it as it is now.
void Pump::make_room(const SessionError& error) {
  const auto value = backends::postgres::taken_value(error.detail);
  if (!value)
    throw ActFailed(std::string("a unique value is taken: ") + error.what() + " " + error.detail);
  const backends::postgres::TakenValue& taken = *value;
  for (const auto& [name, pair] : tables_) {
    if (pair.target.column(taken.column) == nullptr || error.detail.empty()) continue;
    const Rows rows = to_.owner().run(
        "SELECT t._key, EXISTS (SELECT 1 FROM moray_router.reshard_vnode v WHERE v.plan = "
        "$2::bigint AND v.vnode = " +
            vnode_expression(pair.target.bucket, "t") + ") FROM " + pair.target.name +
            " t WHERE t." + taken.column + "::text = $1",
        {taken.value, std::to_string(to_.number())});
    if (rows.count() == 0) continue;
    const std::string key(rows.text(0, 0));
    if (rows.text(0, 1) != "t")
      throw Stuck("bucket " + pair.target.bucket + ": " + taken.column + " = " + taken.value +
                  " of a row that moves is taken at the " + to_.role_name() + " by key " + key +
                  ", which stays there; change one of the two");
    alarm_("bucket " + pair.target.bucket + ": key " + key + " at the " + to_.role_name() +
           " had " + taken.column + " = " + taken.value + " of another key; it is brought again");
    log(name, {key});
    Applying transaction(to_, state_);
    Replacement nothing(to_, pair.target, {key}, false);
    nothing.finish();
    transaction.commit();
    return;
  }
  throw ActFailed(std::string("a unique value is taken: ") + error.what());
}

void Pump::forget_applied() {
  applied_.clear();
  applied_count_ = 0;
}

}  // namespace reshard
