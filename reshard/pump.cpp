#include "reshard/pump.hpp"

#include <utility>

#include "reshard/schema.hpp"
#include "reshard/unique_values.hpp"

namespace reshard {
namespace {

using backends::postgres::Call;
using backends::postgres::Rows;
using backends::postgres::Session;
using backends::postgres::SessionError;

constexpr std::uint64_t kConflictsMost = 1'000;  ///< in one cycle; then something else is wrong
/// Entries that are fetched at once: one round trip for a log that is short. A key is no longer
/// than what an index takes, 2,704 bytes.
constexpr int kFetched = 5'000;
constexpr int kPassesInVain = 3;
constexpr int kRoomAtOnce = 1'000;
/// A unique index has the value already; an exclusion constraint has one that excludes it.
constexpr const char* kUniqueState = "23505";
constexpr const char* kExcludedState = "23P01";
constexpr std::size_t kPartEntries = 20'000;
constexpr std::size_t kPartBytes = 4 << 20;  ///< of keys
constexpr std::size_t kEntryBytes = 16;      ///< beside its key

const std::string kFetch = "FETCH " + std::to_string(kFetched) + " FROM entries";

}  // namespace

/// So many entries of the log as are applied by one transaction: whole fetches.
struct Pump::Part {
  std::map<std::string, std::vector<std::string>> keys;  // by bucket, each once, in their order
  std::vector<std::uint64_t> sequences;
  std::vector<std::uint32_t> places;        // of each entry's key among those of its bucket
  std::vector<const std::string*> buckets;  // of each entry
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
      sequences.push_back(std::stoull(rows.string(i, 0)));
      bytes += kEntryBytes;
      auto& [bucket, known] = *keys.try_emplace(rows.string(i, 1)).first;
      const std::string_view key = rows.text(i, 2);
      if (known.empty() || known.back() != key) {
        known.emplace_back(key);
        bytes += key.size();
      }
      places.push_back(static_cast<std::uint32_t>(known.size() - 1));
      buckets.push_back(&bucket);
    }
    last = rows.count() < kFetched;
  }
  /// Those of keys that are not among `left`.
  [[nodiscard]] std::vector<std::uint64_t> sequences_but(const KeysLeft& left) const {
    if (left.empty()) return sequences;
    std::vector<std::uint64_t> others;
    for (std::size_t i = 0; i < sequences.size(); ++i) {
      const auto bucket = left.find(*buckets[i]);
      if (bucket == left.end() || !bucket->second.contains(keys.at(*buckets[i])[places[i]]))
        others.push_back(sequences[i]);
    }
    return others;
  }
};

Pump::Pump(Database& from, Database& to, std::string state,
           std::function<void(const std::string&)> alarm)
    : from_(from), to_(to), state_(std::move(state)), alarm_(std::move(alarm)) {}

/// Rows that a copy brings are not counted before its end: until then no row is, since a row that
/// goes again, and was never counted, must not count as one less.
Table Pump::target_of(const TablePair& pair) const {
  Table table = pair.target;
  if (!counts_) table.counted_in = {};
  return table;
}

Pump::KeysLeft Pump::apply(const Part& part, Taken taken) {
  KeysLeft left;
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
    for (std::string& key : replacement.finish()) left[bucket].insert(std::move(key));
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
Pump::Pass Pump::pass(const CopiedVnodes* copied, bool make_room) {
  std::vector<std::string> buckets, lasts;
  for (const auto& [bucket, last] : copied == nullptr ? CopiedVnodes() : *copied) {
    buckets.push_back(bucket);
    lasts.push_back(std::to_string(last));
  }
  Call entries{
      "DECLARE entries NO SCROLL CURSOR FOR SELECT l.seq, l.bucket, l.key FROM "
      "moray_router.reshard_log l JOIN moray_router.reshard_vnode v ON v.vnode = l.vnode "
      "AND v.plan = " +
      std::to_string(from_.number())};
  if (copied != nullptr) {
    entries.sql +=
        " WHERE EXISTS (SELECT 1 FROM unnest($1::text[], $2::bigint[]) c (bucket, last) "
        "WHERE c.bucket = l.bucket AND l.vnode <= c.last)";
    entries.values = {text_array(buckets), text_array(lasts)};
  }
  entries.sql += " ORDER BY l.bucket COLLATE \"C\", l.key COLLATE \"C\"";
  Transaction snapshot(
      from_.owner(),
      std::vector<Call>{
          {"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"}, std::move(entries), {kFetch}});
  if (!version_.empty() &&
      from_.owner().run(version_call_.sql, version_call_.values).text(0, 0) != version_)
    throw TablesChanged("a moved table's definition was changed");
  Pass pass;
  for (bool first = true;; first = false) {
    Part part;
    if (first) part.add(snapshot.first());
    while (!part.full()) part.add(from_.owner().run_all(kFetch));
    if (part.sequences.empty()) break;
    const bool whole = first && part.last;
    KeysLeft left;
    try {
      left = apply(part, whole || make_room ? Taken::refused : Taken::stays_out);
    } catch (const SessionError& error) {
      if (error.sqlstate == kUniqueState || error.sqlstate == kExcludedState) refused_ = part.keys;
      throw;
    }
    remember(part);
    pass.entries += part.sequences.size();
    pass.keys += part.key_count();
    for (const auto& [bucket, keys] : left) pass.left += keys.size();
    const std::string deletion =
        "BEGIN; SET LOCAL synchronous_commit = off; DELETE FROM moray_router.reshard_log WHERE seq "
        "= ANY(" +
        number_array(part.sequences_but(left)) + ")";
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
std::uint64_t Pump::cycle_of(const CopiedVnodes* copied) {
  std::uint64_t entries = 0, conflicts = 0;
  cycle_bytes_ = 0;
  bool room = false;
  for (int passes = 1;; ++passes) {
    refused_.clear();
    try {
      const Pass done = pass(copied, room);
      entries += done.entries;
      if (done.left == 0) return entries;
      room = done.left == done.keys || passes >= kPassesInVain;
    } catch (const SessionError& error) {
      if (refused_.empty() || ++conflicts > kConflictsMost || !make_room()) throw;
    }
  }
}

std::uint64_t Pump::cycle() { return cycle_of(nullptr); }

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
  if (copied.empty()) return 0;
  struct Uncounted {
    explicit Uncounted(bool& of_pump) : counts(of_pump) { counts = false; }
    ~Uncounted() { counts = true; }
    bool& counts;
  } const uncounted(counts_);
  return cycle_of(&copied);
}

void Pump::log(const std::string& bucket, const std::vector<std::string>& keys) {
  from_.owner().run(
      "INSERT INTO moray_router.reshard_log (plan, vnode, bucket, key) SELECT $1::bigint, " +
          key_vnode(bucket, "key") + ", $2, key FROM unnest($3::text[]) key",
      {std::to_string(from_.number()), bucket, text_array(keys)});
}

/// Rows that are not in the cycle have unique values of some that are. A row that moves, too, gets
/// an entry at its source first, and is taken away then: the next cycle brings it as it is now.
/// False: there is no such row.
bool Pump::make_room() {
  bool found = false;
  for (const auto& [bucket, keys] : refused_) {
    const TablePair& pair = tables_.at(bucket);
    for (const UniqueKey& unique : unique_keys(to_.owner(), pair.target))
      for (const auto& some : in_parts(keys))
        for (const TakenValue& taken :
             taken_values(unique, {from_.owner(), pair.source, SomeRows::of_keys(some)},
                          {to_.owner(), pair.target, SomeRows::of_keys(keys, true)}, kRoomAtOnce)) {
          make_room_for(pair, taken);
          found = true;
        }
  }
  return found;
}

void Pump::make_room_for(const TablePair& pair, const TakenValue& taken) {
  const std::string& bucket = pair.target.bucket;
  const Rows moves = to_.owner().run(
      "SELECT EXISTS (SELECT 1 FROM moray_router.reshard_vnode v WHERE v.plan = $2::bigint AND "
      "v.vnode = " +
          vnode_expression(bucket, "t") + ") FROM " + pair.target.name + " t WHERE t._key = $1",
      {taken.key, std::to_string(to_.number())});
  if (moves.count() == 0) return;
  if (moves.text(0, 0) != "t")
    throw Stuck("bucket " + bucket + ": " + taken.what + " of a row that moves is taken at the " +
                to_.role_name() + " by key " + taken.key +
                ", which stays there; change one of the two");
  alarm_("bucket " + bucket + ": key " + taken.key + " at the " + to_.role_name() + " had " +
         taken.what + " of another key; it is brought again");
  log(bucket, {taken.key});
  Applying transaction(to_, state_);
  const Table target = target_of(pair);
  Replacement nothing(to_, target, {taken.key}, false);
  nothing.finish();
  transaction.commit();
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
