// What a coordinator does before the cutover.
#include <algorithm>
#include <thread>

#include "backends/postgres/identifier.hpp"
#include "reshard/counts.hpp"
#include "reshard/executor.hpp"
#include "reshard/schema.hpp"
#include "reshard/verify.hpp"

namespace reshard {
namespace {

using backends::postgres::identifier;
using backends::postgres::Rows;
using backends::postgres::SessionError;

constexpr std::uint64_t kCopyGroupRows = 20'000;
constexpr std::uint64_t kVerifyGroupRows = 20'000;
constexpr std::chrono::seconds kTriggerLimit{60};
constexpr std::chrono::milliseconds kTriggerPause{100};
constexpr std::chrono::milliseconds kBarrierPoll{1};
constexpr std::chrono::minutes kArmLimit{10};
constexpr std::chrono::milliseconds kPumpPause{50};
constexpr std::chrono::milliseconds kCachePoll{100};
constexpr std::uint64_t kListed = 20;             ///< differing rows that are told one by one
constexpr std::uint64_t kLeftToTheBlock = 2'000;  ///< keys that are compared within it
constexpr std::uint64_t kFewKeys = 20;
constexpr int kCatchUpsMost = 100;

}  // namespace

/// Locks of both databases, then everything anew: what was read before may be another coordinator's
/// past.
Outcome Executor::take_over() {
  ours_ = false;
  target_open_ = false;
  for (Database* each : {&source_, &target_}) {
    each->connect();
    each->lock(plan_.number, by_force_);
    each->end_older_sessions(plan_.number);
    if (plan_.reverts == 0) continue;
    each->lock(plan_.reverts, by_force_);  // its reverse stream reads the same log
    each->end_older_sessions(plan_.reverts);
  }
  std::uint64_t epoch = 0;
  for (Database* each : {&source_, &target_}) {
    if (const auto row = each->plan_row()) epoch = std::max(epoch, row->epoch);
    if (each->has_schema()) {
      each->find_older_plans();
      const Rows newer = each->owner().run(
          "SELECT max(p.plan) FROM moray_router.reshard_plan p WHERE p.plan > $1::bigint AND "
          "p.state <> 'aborted' AND EXISTS (SELECT 1 FROM "
          "moray_router.reshard_vnode n JOIN moray_router.reshard_vnode o ON o.vnode = n.vnode AND "
          "o.plan = $1::bigint WHERE n.plan = p.plan)",
          {plan_.name()});
      if (!newer.null(0, 0))
        throw NotCoordinator("plan " + std::string(newer.text(0, 0)) +
                             " has taken over the vnodes of plan " + plan_.name());
    }
  }
  for (Database* each : {&source_, &target_}) each->set_epoch(epoch + 1);
  const bool give_up = state_.progress.give_up;
  state_ = journal_.read();
  recorded_ = state_;
  state_.progress = resumed(state_.progress);
  state_.progress.give_up = state_.progress.give_up || give_up;
  state_.paused = false;
  state_.stopped.clear();
  ours_ = true;
  if (state_.progress.act == Act::take_over) state_.progress.act = state_.progress.after_take_over;
  read_tables();
  committed_ = Clock::now();  // no lease that was given before is counted from later
  record("taken over, epoch " + std::to_string(epoch + 1));
  return Outcome::done;
}

/// Waits behind writers for a moment at a time, so that others don't wait behind it (T12).
void Executor::create_triggers(Database& database, const std::string& sql,
                               const std::string& table) {
  const auto begun = Clock::now();
  for (;;) {
    try {
      database.owner().run_all("BEGIN; SET LOCAL lock_timeout = '50ms'; " + sql + "COMMIT");
      return;
    } catch (const SessionError& error) {
      if (error.sqlstate != "55P03") throw;
      database.owner().run_all("ROLLBACK");
    }
    const Rows holders = database.apply().run(
        "SELECT a.pid, a.backend_type = 'autovacuum worker', left(a.query, 80) FROM pg_locks l "
        "JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.relation = "
        "to_regclass($1::text) AND l.granted AND l.mode NOT IN ('AccessShareLock', 'RowShareLock') "
        "ORDER BY a.xact_start LIMIT 1",
        {table});
    if (holders.count() > 0 && holders.text(0, 1) == "t")
      database.apply().run("SELECT pg_cancel_backend($1::int)", {std::string(holders.text(0, 0))});
    if (Clock::now() - begun > kTriggerLimit)
      throw ActFailed("table " + table + " of the " + database.role_name() + " stays locked" +
                      (holders.count() > 0 ? ", by process " + std::string(holders.text(0, 0)) +
                                                 ": " + std::string(holders.text(0, 2))
                                           : std::string()));
    if (stop_asked()) throw ActFailed("stopped");
    std::this_thread::sleep_for(kTriggerPause);
  }
}

/// Tables that both sides have. Before the schema phase there may be none at the target.
void Executor::read_tables() {
  std::map<std::string, TablePair> tables, back;
  const auto& derived = plan_.buckets.derived;
  bool kept = std::find(derived.begin(), derived.end(), kDirectoryCounts) != derived.end();
  for (Database* each : {&source_, &target_}) {
    if (!kept) break;
    const auto counts = read_table(each->owner(), kDirectoryCounts);
    kept = counts && counts->column("entries") != nullptr;
  }
  for (const BucketConfig& config : routed(bucket_configs(source_.owner()), plan_.buckets)) {
    auto here = read_table(source_.owner(), config.name);
    auto there = read_table(target_.owner(), config.name);
    if (!here || !there) continue;
    const std::string relation(
        source_.owner()
            .run("SELECT relname FROM pg_class WHERE oid = to_regclass($1::text)", {here->name})
            .text(0, 0));
    // Counts of a directory that are kept on both sides.
    if (kept && config.name == kCountedBucket && here->column("dirname") != nullptr &&
        there->column("dirname") != nullptr)
      here->counted_in = there->counted_in = identifier(kDirectoryCounts);
    back[relation] = {*there, *here};
    tables[relation] = {*std::move(here), *std::move(there)};
  }
  forward_.set_tables(std::move(tables));
  reverse_.set_tables(std::move(back));
}

/// The target first: nothing is copied to where anybody may write. The list of buckets is read
/// behind the trigger that keeps it as it is.
Outcome Executor::make_schema() {
  hook("pre_lock");
  if (!source_.has_schema() || !target_.has_schema()) {
    state_.caches_until = time_in(plan_.options.cache_ms);
    record("schema");
  }
  for (Database* each : {&target_, &source_})
    each->owner().run_all("BEGIN; SELECT pg_advisory_xact_lock(" +
                          std::to_string(kCoordinatorLock) + ", 0); " + schema_sql(ring_) +
                          "COMMIT");
  target_.make_plan_row("guarded");
  // A rollback's writes are logged from its first moment: its row is the newest from then on.
  source_.make_plan_row(state_.progress.copies ? "preparing" : "capturing");
  const auto row = source_.plan_row();
  require_state(
      row && (row->state == "preparing" || row->state == "capturing" || row->state == "fenced"),
      source_, "preparing");
  const auto guard = target_.plan_row();
  require_state(guard && guard->state == "guarded", target_, "guarded");
  for (Database* each : {&target_, &source_}) each->find_older_plans();
  create_triggers(source_, bucket_list_trigger_sql(), "buckets_config");

  for (const BucketConfig& config : bucket_configs(source_.owner())) {
    const bool moves = is_routed(config.name, plan_.buckets);
    const auto table = read_table(source_.owner(), config.name);
    if (!table && !moves) continue;
    if (!table) throw ActFailed("bucket " + config.name + " has no table at the source");
    if (!read_table(target_.owner(), config.name)) {
      // As the owner, whose tables these are; the guard of the list of buckets is not there yet, or
      // is passed by.
      try {
        target_.owner().run_all("BEGIN; " + create_sql(config, *table) + "COMMIT");
      } catch (const SessionError& error) {
        if (error.sqlstate != kRefusedState) throw;
        target_.owner().run_all("ROLLBACK");
        throw ActFailed("bucket " + config.name +
                        " is new at the source since the plan began: end the plan, and plan again");
      }
    }
    if (!moves) {  // none of their rows move, and what is written with rows that do needs a table
      const auto made = read_table(target_.owner(), config.name);
      if (made) make_indexes(target_, {*table, *made}, true);
      continue;
    }
    create_triggers(target_, table_triggers_sql(config.name), identifier(config.name));
    create_triggers(source_, table_triggers_sql(config.name), identifier(config.name));
  }
  create_triggers(target_, bucket_list_trigger_sql(), "buckets_config");
  read_tables();
  for (const auto& [name, pair] : forward_.tables()) {
    const std::string differs = difference(pair.source, pair.target);
    if (!differs.empty()) throw ActFailed("bucket " + pair.source.bucket + ": " + differs);
  }
  return Outcome::done;
}

Outcome Executor::arm() {
  if (!state_.identities) {
    state_.identities = identities();
    record("identities of the servers");
  }
  require_state(source_.set_state("'preparing', 'fenced'", "capturing"), source_, "preparing");
  return Outcome::done;
}

/// Polled, never queued for (T9). In the cutover its time is the budget's: half of it is the
/// writers'.
Outcome Executor::wait_barrier(bool in_cutover) {
  const auto begun = Clock::now();
  bool ended = false;
  while (!source_.barrier_open()) {
    if (in_cutover) {
      require_budget();
      if (!ended && budget_left() < std::chrono::milliseconds(plan_.options.max_block_ms) / 2) {
        ended = true;
        watcher_.alarm(
            "transactions that write moving rows are ended: they have held the fence for half of "
            "its time");
        source_.end_writers();
      }
    } else if (Clock::now() - begun > kArmLimit) {
      throw ActFailed("transactions that began before the plan and write moving rows don't end");
    } else if (stop_asked()) {
      throw ActFailed("stopped");
    }
    std::this_thread::sleep_for(kBarrierPoll);
  }
  return Outcome::done;
}

/// Rows that a find must not show come only when every router leaves them out. By the clock of this
/// process, which doesn't jump; all of it again where another one began the wait. False: to be gone
/// on with later.
bool Executor::wait_for_caches() {
  if (state_.caches_until.empty()) return true;
  const std::chrono::milliseconds wait(plan_.options.cache_ms);
  if (wait.count() > 0)
    watcher_.event(
        "routers learn until " + time_in(plan_.options.cache_ms) +
        " that finds leave out rows that are not the shard's: once in a database's life");
  for (const auto end = Clock::now() + wait; Clock::now() < end;
       std::this_thread::sleep_for(kCachePoll)) {
    if (stop_asked()) return false;
    show();
  }
  state_.caches_until.clear();
  record("routers leave them out");
  return true;
}

Outcome Executor::copy() {
  if (!wait_for_caches()) return Outcome::more;
  hook("pre_copy");
  Throttle throttle(plan_.options.copy_bytes_per_second);
  for (const auto& [name, pair] : forward_.tables()) {
    const std::string& bucket = pair.source.bucket;
    const auto done = state_.copied.find(bucket);
    const std::uint64_t vnodes_done = done == state_.copied.end() ? 0 : done->second;
    if (vnodes_done >= plan_.vnodes.size()) continue;
    give_vnodes(source_, pair.source);
    if (!plan_.populated && vnodes_done == 0) drop_indexes(target_, pair.target);
    watcher_.begin("copy " + bucket, "rows", rows_that_move(pair.source));
    CopyTold told;
    told.rows = [&](std::uint64_t rows, std::uint64_t) { watcher_.progress(rows); };
    told.vnodes = [&](std::uint64_t vnodes) {
      state_.copied[bucket] += vnodes;
      record("");
      show();
    };
    told.stopped = [&] { return stop_asked(); };
    const bool all = copy_table(source_, target_, forward_, pair,
                                groups(pair.source, kCopyGroupRows, vnodes_done), throttle, told);
    watcher_.end();
    if (!all) return Outcome::more;
  }
  for (const auto& [name, pair] : forward_.tables()) {
    if (state_.copied[pair.source.bucket + " indexes"] != 0) continue;
    watcher_.event("indexes of bucket " + pair.source.bucket);
    make_indexes(target_, pair, false);
    state_.copied[pair.source.bucket + " indexes"] = 1;
  }
  count_copied();
  record("");
  return Outcome::done;
}

/// Cycles until the log is short and has been for a while, and nobody has an old transaction that
/// would hold the fence.
Outcome Executor::pump() {
  const std::uint64_t entries = forward_.cycle();
  figures_.log_entries = entries;
  if (state_.progress.copies)
    for (const auto& [name, pair] : forward_.tables()) {
      if (state_.copied[pair.source.bucket + " unique"] != 0) continue;
      make_indexes(target_, pair, true);
      state_.copied[pair.source.bucket + " unique"] = 1;
    }
  show();
  if (entries > plan_.options.lag_rows) {
    lag_small_since_.reset();
    return Outcome::more;
  }
  if (!lag_small_since_) lag_small_since_ = Clock::now();
  const auto settle = std::chrono::milliseconds(plan_.options.settle_ms);
  const Rows old = source_.apply().run(
      "SELECT 1 FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.locktype = "
      "'advisory' AND l.classid = " +
      std::to_string(kWritersLock) +
      "::oid AND l.objsubid = 2 AND a.xact_start < clock_timestamp() - interval '1 s' LIMIT 1");
  if (Clock::now() - *lag_small_since_ < settle || old.count() > 0) {
    std::this_thread::sleep_for(kPumpPause);
    return Outcome::more;
  }
  lag_small_since_.reset();
  return Outcome::done;
}

/// Brought again by entries of the log.
void Executor::repair(const std::vector<DifferingRow>& rows) {
  std::uint64_t told = 0;
  for (const DifferingRow& row : rows)
    if (++told <= kListed)
      watcher_.alarm("bucket " + row.bucket + ", key " + row.key + ": " + row.what +
                     "; it is brought again");
  for (const auto& [name, pair] : forward_.tables()) {
    std::vector<std::string> keys;
    for (const DifferingRow& row : rows)
      if (row.bucket == pair.source.bucket) keys.push_back(row.key);
    for (const auto& some : in_parts(keys)) forward_.log(name, some);
  }
  forward_.cycle();
}

/// Twice at most: what was repaired is compared again. What was written meanwhile is compared
/// behind it, until it is so little that the block can do the rest.
Outcome Executor::verify() {
  const auto servers = identities();
  const auto in_groups = [this](const TablePair& pair) {
    return groups(pair.source, kVerifyGroupRows);
  };
  forward_.forget_applied();
  for (int round = 1;; ++round) {
    std::uint64_t about = 0;
    for (const auto& [name, pair] : forward_.tables()) about += rows_that_move(pair.source);
    watcher_.begin("verify", "rows", about);
    const Verification found = verify_tables(
        source_, target_, forward_, in_groups,
        [this](std::uint64_t rows) {
          watcher_.progress(rows);
          show();
        },
        [this] { return stop_asked(); });
    watcher_.end();
    watcher_.event("verified: " + std::to_string(found.vnodes) + " vnodes, " +
                   std::to_string(found.rows) + " rows, " + std::to_string(found.differing.size()) +
                   " differing");
    if (found.differing.empty()) break;
    if (round > 2)
      throw ActFailed(std::to_string(found.differing.size()) +
                      " rows differ although they were brought again");
    repair(found.differing);
  }
  verify_counts();
  compare_written();
  // They were compared whole, and were the same servers all the time.
  if (state_.progress.verify_again && servers == identities()) {
    state_.identities = servers;
    record("identities of the servers, after a verification");
  }
  return Outcome::done;
}

/// What was written since it was compared last, until it is so little, or as little as it becomes,
/// that the block can do the rest. A key that is written again meanwhile is among the rest, so that
/// each row is compared behind its last write.
void Executor::compare_written() {
  std::uint64_t before = Pump::kAppliedMost;
  for (int round = 1;; ++round) {
    forward_.cycle();
    const std::uint64_t left = forward_.applied_count();
    if (left <= kFewKeys || (left <= kLeftToTheBlock && left > before / 2)) return;
    if (forward_.applied_overflown() || round > kCatchUpsMost)
      throw ActFailed("more is written than can be compared");
    before = left;
    const KeysByTable written = forward_.applied();
    forward_.forget_applied();
    const auto differing = verify_keys(source_, target_, forward_, written);
    if (!differing.empty()) repair(differing);
  }
}

std::array<ServerIdentity, 2> Executor::identities() {
  return {source_.identity(), target_.identity()};
}

}  // namespace reshard
