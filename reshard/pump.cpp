#include "reshard/pump.hpp"

#include <utility>

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
/// Entries that are fetched at once: one round trip for a log that is short. A key is no longer
/// than what an index takes, 2,704 bytes.
constexpr int kFetched = 5'000;
constexpr int kPassesInVain = 3;
constexpr std::size_t kPartEntries = 20'000;
constexpr std::size_t kPartBytes = 4 << 20;  ///< of keys
constexpr std::size_t kEntryBytes = 16;      ///< beside its key

const std::string kFetch = "FETCH " + std::to_string(kFetched) + " FROM entries";

}  // namespace

/// So many entries of the log as are applied by one transaction: whole fetches.
struct Pump::Part {
  std::map<std::string, std::vector<std::string>> keys;  // by bucket, each once
  std::vector<std::uint64_t> sequences;
  std::size_t bytes = 0;
  bool last = false;  // the log ends here

  [[nodiscard]] bool full() const {
    return last || sequences.size() >= kPartEntries || bytes >= kPartBytes;
  }
  [[nodiscard]] std::uint64_t key_count() const {
    std::uint64_t count = 0;
    for (const auto& [bucket, some] : keys) count += some.size();
    return count;
  }
  /// Entries come in the order of their keys.
  void add(const Rows& rows) {
    for (int i = 0; i < rows.count(); ++i) {
      sequences.push_back(std::stoull(std::string(rows.text(i, 0))));
      bytes += kEntryBytes;
      auto& known = keys[std::string(rows.text(i, 1))];
      const std::string_view key = rows.text(i, 2);
      if (!known.empty() && known.back() == key) continue;
      known.emplace_back(key);
      bytes += key.size();
    }
    last = rows.count() < kFetched;
  }
};

Pump::Pump(Database& from, Database& to, std::string state,
           std::function<void(const std::string&)> alarm)
    : from_(from), to_(to), state_(std::move(state)), alarm_(std::move(alarm)) {}

/// Rows that a copy brings are not counted before its end: until then no row is, since a row that
/// goes again, and was never counted, must not count as one less.
Table Pump::target_of(const TablePair& pair) const {
  Table table = pair.target;
  if (!counts_) table.counted_in.clear();
  return table;
}

/// Returns the keys whose rows stay out.
std::map<std::string, std::vector<std::string>> Pump::apply(const Part& part, Taken taken) {
  std::map<std::string, std::vector<std::string>> left;
  Applying transaction(to_, state_);
  for (const auto& [bucket, keys] : part.keys) {
    const auto pair = tables_.find(bucket);
    if (pair == tables_.end())
      throw ActFailed("the log names a bucket that is not moved: " + bucket);
    const Table target = target_of(pair->second);
    Replacement replacement(to_, target, keys, ids_issued_anew_, taken);
    for (const auto& some : in_parts(keys))
      stream_rows(from_.owner(), pair->second.source, pair->second.target, some,
                  [&](RowBatch rows) {
                    cycle_bytes_ += rows.bytes();
                    replacement.add(std::move(rows));
                  });
    auto out = replacement.finish();
    if (!out.empty()) left[bucket] = std::move(out);
  }
  transaction.commit();
  return left;
}

void Pump::remember(const Part& part) {
  applied_count_ += part.key_count();
  if (applied_overflown_) return;
  for (const auto& [bucket, keys] : part.keys)
    for (const std::string& key : keys) applied_[bucket].insert(key);
  applied_overflown_ = applied_bytes() > kAppliedBytes;
}

/// Once through the log as a snapshot has it, which is that of the first statement; rows are read
/// in it. Entries of the plan's vnodes, whichever plan's trigger wrote them: an aborted rollback
/// leaves its own to the plan that goes on, and what an ended plan's last writer has left is
/// nobody's.
///
/// The order of the keys puts all entries of one side by side, so that its row is brought once; the
/// server sorts. A unique value may pass from a key of one part to a key of another one: while both
/// are under way the value is taken at the target for a moment. The row stays out then, and its
/// entries stay in the log, so that the next pass brings it, when the other key is what it should
/// be. A log of one part needs none of that: all its keys are deleted before any comes, and a value
/// that is taken then is taken by a row that the log does not name (`make_room`).
///
/// A part's entries go as soon as it is applied: by another session, since the snapshot's own can't
/// write. Entries that are lost in a crash are applied once more, which changes nothing.
Pump::Pass Pump::pass(const std::string& which, bool make_room) {
  Transaction snapshot(
      from_.owner(),
      "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; DECLARE entries NO SCROLL CURSOR FOR "
      "SELECT "
      "l.seq, l.bucket, l.key FROM moray_router.reshard_log l JOIN moray_router.reshard_vnode v ON "
      "v.vnode = l.vnode AND v.plan = " +
          std::to_string(from_.number()) + which +
          " ORDER BY l.bucket COLLATE \"C\", l.key COLLATE \"C\"; " + kFetch);
  Pass pass;
  for (bool first = true;; first = false) {
    Part part;
    if (first) part.add(snapshot.first());
    while (!part.full()) part.add(from_.owner().run_all(kFetch));
    if (part.sequences.empty()) break;
    const bool whole = first && part.last;
    const auto left = apply(part, whole || make_room ? Taken::refused : Taken::stays_out);
    remember(part);
    pass.entries += part.sequences.size();
    pass.keys += part.key_count();
    std::string deletion =
        "BEGIN; SET LOCAL synchronous_commit = off; DELETE FROM moray_router.reshard_log WHERE seq "
        "= ANY(" +
        number_array(part.sequences) + ")";
    for (const auto& [bucket, keys] : left) {
      pass.left += keys.size();
      deletion +=
          " AND NOT (bucket = " + literal(bucket) + " AND key = ANY(" + text_array(keys) + "))";
    }
    if (part.last) {
      snapshot.commit("COMMIT; " + deletion + "; ");
      return pass;
    }
    Transaction(from_.apply(), deletion).commit();
  }
  snapshot.commit();
  return pass;
}

/// Keys that stayed out are brought by the next pass. Where that has not helped, a row that the log
/// does not name is in the way, and room is made.
std::uint64_t Pump::cycle_of(const std::string& which) {
  std::uint64_t entries = 0, conflicts = 0;
  cycle_bytes_ = 0;
  bool room = false;
  for (int passes = 1;; ++passes) {
    try {
      const Pass done = pass(which, room);
      entries += done.entries;
      if (done.left == 0) return entries;
      room = done.left == done.keys || passes >= kPassesInVain;
    } catch (const SessionError& error) {
      if (error.sqlstate != "23505" || ++conflicts > kConflictsMost) throw;
      make_room(error);
    }
  }
}

std::uint64_t Pump::cycle() { return cycle_of(""); }

/// Why a pump may run between two groups of a copy, and what it may take then. A vnode is copied
/// when the copy's transactions of all its rows are committed at the target; no statement of the
/// copy reads or writes its rows after that. So an entry of it finds there what it finds after the
/// whole copy: rows of an older snapshot, or none where the key is in the log, too. A vnode that is
/// not copied yet is another matter. The statement that copies it takes its snapshot when it
/// begins; were an entry applied, and deleted, after that, and before the statement's rows arrive,
/// the older row would come last: a deleted object would be back, and nothing would name it any
/// more. Where rows keep their ids they come by COPY, which fails for a key that is there already.
/// Both are excluded by the vnode, whatever the moment.
std::uint64_t Pump::cycle_beside_copy(const CopiedVnodes& copied) {
  std::string any;
  for (const auto& [bucket, last] : copied)
    any += (any.empty() ? "" : " OR ") + ("(l.bucket = " + literal(bucket)) +
           " AND l.vnode <= " + std::to_string(last) + ")";
  if (any.empty()) return 0;
  struct Uncounted {
    explicit Uncounted(bool& of_pump) : counts(of_pump) { counts = false; }
    ~Uncounted() { counts = true; }
    bool& counts;
  } const uncounted(counts_);
  return cycle_of(" WHERE " + any);
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
    const Table target = target_of(pair);
    Replacement nothing(to_, target, {key}, false);
    nothing.finish();
    transaction.commit();
    return;
  }
  throw ActFailed(std::string("a unique value is taken: ") + error.what());
}

std::uint64_t Pump::applied_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [bucket, keys] : applied_) bytes += keys.bytes();
  return bytes;
}

KeysByTable Pump::take_applied() {
  applied_count_ = 0;
  applied_overflown_ = false;
  return std::exchange(applied_, {});
}

}  // namespace reshard
