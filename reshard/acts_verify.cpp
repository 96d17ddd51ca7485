// What a coordinator compares: rows of both sides, and what the plan stands on.
#include <algorithm>

#include "reshard/executor.hpp"
#include "reshard/table_version.hpp"
#include "reshard/verify.hpp"

namespace reshard {
namespace {

using backends::postgres::Rows;

constexpr std::uint64_t kVerifyGroupRows = 20'000;
constexpr std::chrono::seconds kLookEach{1};
constexpr std::uint64_t kRowsListed = 20;         ///< differing rows that are told one by one
constexpr std::uint64_t kLeftToTheBlock = 2'000;  ///< keys that are compared within it
constexpr std::uint64_t kFewKeys = 20;
constexpr std::uint64_t kManyKeys = 1'000'000;
constexpr int kCatchUpsMost = 100;

}  // namespace

/// Brought again by entries of the log. `before`: so many were before them.
void Executor::repair(const std::vector<DifferingRow>& rows, std::uint64_t before) {
  std::map<std::string, std::vector<std::string>> keys;
  for (const DifferingRow& row : rows) {
    if (++before <= kRowsListed)
      watcher_.alarm("bucket " + row.bucket + ", key " + row.key + ": " + row.what +
                     "; it is brought again");
    keys[row.bucket].push_back(row.key);
  }
  for (const auto& [name, pair] : forward_.tables())
    for (const auto& some : in_parts(keys[pair.source.bucket])) forward_.log(name, some);
  forward_.cycle();
}

std::vector<Relation> Executor::table_names(Role role) const {
  std::vector<Relation> names;
  for (const auto& [bucket, pair] : forward_.tables())
    names.push_back(role == Role::source ? pair.source.name : pair.target.name);
  if (!names.empty()) names.push_back(Relation::named("buckets_config"));
  return names;
}

/// Both servers work on it at once.
std::array<std::string, 2> Executor::versions() {
  const auto ask = [this](Database& side) {
    side.owner().send(version_call(table_names(side.role())));
  };
  ask(source_);
  ask(target_);
  const Rows there = target_.owner().receive(), here = source_.owner().receive();
  return {here.string(0, 0), there.string(0, 0)};
}

/// At the source when its copy begins: from then on whatever happens to a table must be in the log.
/// At the target when the copy's own indexes are made.
void Executor::note_tables() {
  const auto now = versions();
  require_watched();  // of a trigger that is off, and stays so, a version says nothing
  const auto here = oids_of(source_.owner(), table_names(Role::source));
  const auto there = oids_of(target_.owner(), table_names(Role::target));
  std::size_t at = 0;
  for (const auto& [bucket, pair] : forward_.tables()) {
    state_.tables.try_emplace(bucket, KnownTable{here.at(at), there.at(at)});
    ++at;
  }
  if (state_.versions[0].empty())
    state_.versions[0] = now[0];
  else
    state_.versions[1] = now[1];
  if (!state_.progress.copies) state_.versions[1] = now[1];
  record("definitions of the tables");
}

/// Writes that no trigger sees are in no log.
void Executor::require_watched() {
  for (Database* each : {&source_, &target_}) {
    auto tables = table_names(each->role());
    if (!tables.empty()) tables.pop_back();  // the list of buckets has a trigger of its own kind
    const std::string name = unwatched(each->owner(), tables);
    if (!name.empty())
      throw Stuck(
          "table " + name + " of the " + each->role_name() +
          " has no trigger of this plan any more, or it is disabled: writes to it are in no "
          "log. Enable it, then retry: all rows are compared then");
  }
}

/// What no comparison of rows mends: another table under a moved one's name, writes that no trigger
/// sees, columns that only one side has.
void Executor::require_tables() {
  const auto here = oids_of(source_.owner(), table_names(Role::source));
  const auto there = oids_of(target_.owner(), table_names(Role::target));
  std::size_t at = 0;
  for (const auto& [bucket, pair] : forward_.tables()) {
    const auto known = state_.tables.find(bucket);
    const KnownTable now{here.at(at), there.at(at)};
    ++at;
    if (known == state_.tables.end() || known->second == now) continue;
    const bool source = known->second.source != now.source;
    throw Stuck("bucket " + bucket + ": the " + (source ? "source" : "target") +
                "'s table is not " + "the one that was copied (oid " +
                (source ? known->second.source : known->second.target) + " then, " +
                (source ? now.source : now.target) +
                " now): what was written to it may be in no log. Abort this plan, and plan again");
  }
  require_watched();
  const auto known = forward_.tables();
  read_tables();
  for (const auto& [bucket, pair] : known) {
    const auto now = forward_.tables().find(bucket);
    if (now == forward_.tables().end())
      throw Stuck("bucket " + bucket + ": a table is not there any more");
  }
  require_alike();
}

/// Only to be early: the commit decides. What has changed is a cause to compare all rows.
void Executor::look_at_tables() {
  if (Clock::now() < tables_looked_at_ + kLookEach) return;
  const auto now = versions();
  tables_looked_at_ = Clock::now();
  const bool same =
      now[0] == state_.versions[0] && (state_.versions[1].empty() || now[1] == state_.versions[1]);
  if (state_.versions[0].empty() || same) return;
  require_tables();
  if (state_.progress.verify_again) return;
  watcher_.alarm("a moved table's definition was changed: all rows are compared again");
  state_.progress.verify_again = true;
  record("definitions have changed");
}

/// Twice at most: what was repaired is compared again. Only where it is known why rows may differ:
/// else a rule of this protocol does not hold, which a person should know before anything is
/// written over. What was written meanwhile is compared afterwards, until it is so little that the
/// block can do the rest.
Outcome Executor::verify() {
  const auto servers = identities();
  auto definitions = versions();
  const bool changed = definitions != state_.versions;
  if (changed) require_tables();
  const bool replaced = state_.identities && servers != *state_.identities;
  // After a resumed plan's failover this is the first act to see it; `compare_servers` sees the
  // rest.
  if (replaced && !state_.progress.verify_again) watcher_.alarm(kServerReplaced);
  const bool cause = changed || replaced || state_.progress.verify_again ||
                     journal_.asked("repair") || !state_.identities;
  // What was written while no trigger saw it may have no vnode; what a failover took may be
  // indexes.
  if (cause) {
    for (const auto& [bucket, pair] : forward_.tables()) give_vnodes(source_, pair.source);
    if (state_.progress.copies) complete_tables(DefinitionPart::rest, true);
  }
  require_alike();
  const auto in_groups = [this](const TablePair& pair) {
    return groups(pair.source, kVerifyGroupRows);
  };
  if (cause) definitions = versions();  // with those indexes
  forward_.forget_applied();
  for (int round = 1;; ++round) {
    std::uint64_t about = 0;
    for (const auto& [name, pair] : forward_.tables()) about += rows_that_move(pair.source);
    watcher_.begin("verify", "rows", about);
    std::uint64_t repaired = 0;
    const auto repair_some = [this, &repaired](const std::vector<DifferingRow>& rows) {
      repair(rows, repaired);
      repaired += rows.size();
    };
    const bool repairs = cause && round <= 2;
    const Verification found = verify_tables(
        source_, target_, forward_, in_groups,
        [this](std::uint64_t rows) {
          watcher_.progress(rows);
          show();
        },
        [this] { return stop_asked(); }, repairs ? DifferingSink(repair_some) : DifferingSink());
    watcher_.end();
    watcher_.event("verified: " + std::to_string(found.vnodes) + " vnodes, " +
                   std::to_string(found.rows) + " rows, " + std::to_string(found.differing_rows) +
                   " differing");
    if (found.differing_rows == 0) break;
    if (!cause) throw Stuck(unexplained(found));
    if (!repairs)
      throw ActFailed(std::to_string(found.differing_rows) +
                      " rows differ although they were brought again");
  }
  verify_counts();
  compare_written();
  // They were compared whole, and were the same servers and tables all the time.
  if (servers == identities() && definitions == versions()) {
    state_.identities = servers;
    state_.versions = definitions;
    drop_ask("repair");
    record("");
  }
  return Outcome::done;
}

std::string Executor::unexplained(const Verification& found) const {
  const DifferingRow& first = found.differing.front();
  return std::to_string(found.differing_rows) + " rows differ (bucket " + first.bucket + ", key " +
         first.key + ": " + first.what +
         "), and neither a server nor a table has changed since they were copied. "
         "Look at them; `reshard retry " +
         plan_.name() + " --repair` brings them again";
}

/// What was written since it was compared last, until it is so little, or as little as it becomes,
/// that the block can do the rest. A key that is written again meanwhile is among the rest, so that
/// each row is compared behind its last write.
void Executor::compare_written() {
  std::uint64_t before = kManyKeys;
  for (int round = 1;; ++round) {
    cycle(forward_);
    const std::uint64_t left = forward_.applied_count();
    if (left <= kFewKeys || (left <= kLeftToTheBlock && left > before / 2)) return;
    if (forward_.applied_overflown() || round > kCatchUpsMost)
      throw ActFailed("more is written than can be compared");
    before = left;
    std::uint64_t repaired = 0;
    verify_keys(source_, target_, forward_, forward_.take_applied(),
                [&](const std::vector<DifferingRow>& rows) {
                  repair(rows, repaired);
                  repaired += rows.size();
                });
  }
}

std::array<ServerIdentity, 2> Executor::identities() {
  return {source_.identity(), target_.identity()};
}

}  // namespace reshard
