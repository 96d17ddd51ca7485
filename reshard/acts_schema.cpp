// What a coordinator does in the databases before it copies: rows of the plan, triggers, barrier.
#include <algorithm>
#include <thread>

#include "reshard/counts.hpp"
#include "reshard/executor.hpp"
#include "reshard/schema.hpp"
#include "reshard/taken.hpp"
#include "reshard/transaction.hpp"

namespace reshard {
namespace {

using backends::postgres::Rows;
using backends::postgres::SessionError;

constexpr std::chrono::seconds kTriggerLimit{60};
constexpr std::chrono::milliseconds kTriggerPause{100};
constexpr std::uint64_t kTriggerWait = 50;  ///< milliseconds, at first
constexpr std::uint64_t kTriggerTries = 5;  ///< with one wait, before it is doubled
constexpr std::chrono::milliseconds kBarrierPoll{1};
constexpr std::chrono::minutes kArmLimit{10};
constexpr std::chrono::seconds kNameWriterEach{1};

}  // namespace

/// Waits for writers a moment at a time, so that others don't wait for it in turn (T12). Where some
/// transaction is always open, longer and longer, up to half of the time for which writes may be
/// held: else it would never have its turn.
void Executor::create_triggers(Database& database, const std::string& sql,
                               const std::string& table) {
  const auto begun = Clock::now();
  const std::uint64_t longest = std::max(kTriggerWait, plan_.options.max_block_ms / 2);
  for (std::uint64_t attempt = 0;; ++attempt) {
    const std::uint64_t wait =
        std::min(longest, kTriggerWait << std::min<std::uint64_t>(attempt / kTriggerTries, 10));
    try {
      Transaction transaction(
          database.owner(), "BEGIN; SET LOCAL lock_timeout = " + std::to_string(wait) + "; " + sql);
      transaction.commit();
      return;
    } catch (const SessionError& error) {
      if (error.sqlstate != "55P03") throw;
    }
    const Database::Holder holder = database.holder_of(table);
    if (holder.autovacuum != 0)
      database.apply().run("SELECT pg_cancel_backend($1::int)",
                           {std::to_string(holder.autovacuum)});
    const std::string locked = "table " + table + " of the " + database.role_name() +
                               " stays locked" +
                               (holder.name.empty() ? std::string() : ", by " + holder.name);
    if (Clock::now() - begun > kTriggerLimit) throw ActFailed(locked);
    if (attempt >= kTriggerTries) say_waiting(locked);
    show();
    if (stop_asked()) throw ActFailed("stopped");
    std::this_thread::sleep_for(kTriggerPause);
  }
}

/// Tables that both sides have; where one side is not this coordinator's, the other's. Before the
/// schema phase there may be none at the target.
void Executor::read_tables() {
  std::map<std::string, TablePair> tables, back;
  Database& here = source_.taken() ? source_ : target_;
  Database& there = target_.taken() ? target_ : source_;
  const auto& derived = plan_.buckets.derived;
  bool kept = std::find(derived.begin(), derived.end(), kDirectoryCounts) != derived.end();
  for (Database* each : {&here, &there}) {
    if (!kept) break;
    const auto counts = read_table(each->owner(), kDirectoryCounts);
    kept = counts && counts->column("entries") != nullptr;
  }
  for (const BucketConfig& config : routed(bucket_configs(here.owner()), plan_.buckets)) {
    auto source = read_table(here.owner(), config.name);
    auto target = read_table(there.owner(), config.name);
    if (!source || !target) continue;
    // Counts of a directory that are kept on both sides.
    if (kept && config.name == kCountedBucket && source->column("dirname") != nullptr &&
        target->column("dirname") != nullptr)
      source->counted_in = target->counted_in = Relation::named(kDirectoryCounts);
    back[config.name] = {*target, *source};
    tables[config.name] = {*std::move(source), *std::move(target)};
  }
  forward_.set_tables(std::move(tables));
  reverse_.set_tables(std::move(back));
}

/// The plan's rows and vnodes on both sides. The target first: nothing is copied to where anybody
/// may write; and not before the target is known to own none of the vnodes, since its guard would
/// refuse its owner's writes, and hide rows from reads that are under way there.
void Executor::make_rows() {
  for (const Ownership& each : routers_.ownership(plan_.from.pnode, kRouterLimit)) {
    if (!each.problem.empty())
      throw Waiting("router " + each.router + " does not answer: " + each.problem);
    if (!each.all)
      throw Stuck("router " + each.router +
                  " does not give all vnodes of the plan to its source: " + each.other +
                  taken_by(source_.owner(), plan_.vnodes));
  }
  const bool owns_none = require_not_owned(target_);
  std::vector<Relation> there;
  for (const BucketConfig& config : routed(bucket_configs(target_.owner()), plan_.buckets))
    if (const auto table = read_table(target_.owner(), config.name)) there.push_back(table->name);
  // A vnode of the target that has no row yet would lack its unique indexes during the copy.
  target_.make_plan_row("guarded", there, owns_none && plan_.reverts == 0);
  // A rollback's writes are logged from its first moment: its row is the newest from then on.
  source_.make_plan_row(state_.progress.copies ? "preparing" : "capturing", {}, false);
  note_older_writers();
  const auto row = source_.plan_row();
  require_state(
      row && (row->state == "preparing" || row->state == "capturing" || row->state == "fenced"),
      source_, "preparing");
  const auto guard = target_.plan_row();
  require_state(guard && guard->state == "guarded", target_, "guarded");
  ids_kept_ = guard->ids_kept;
  forward_.issue_ids_anew(!ids_kept_);
  for (Database* each : {&target_, &source_}) each->find_older_plans();
}

/// The list of buckets is read after the trigger that keeps it as it is was made.
Outcome Executor::make_schema() {
  take_lock();
  if (!source_.has_schema() || !target_.has_schema()) {
    state_.caches_until = time_in(plan_.options.cache_ms);
    record("schema");
  }
  for (Database* each : {&target_, &source_}) make_schema_at(*each);
  make_rows();
  create_triggers(source_, bucket_list_trigger_sql(), "buckets_config");

  const auto configs = bucket_configs(source_.owner());
  if (state_.progress.copies) {
    make_tables(configs);
    renew_tables();
  }
  for (const BucketConfig& config : configs) {
    const bool moves = is_routed(config.name, plan_.buckets);
    const auto table = read_table(source_.owner(), config.name);
    if (!table && !moves) continue;
    if (!table) throw ActFailed("bucket " + config.name + " has no table at the source");
    if (moves && !ids_kept_ && state_.progress.copies && table->column("_idx") != nullptr)
      throw Stuck("bucket " + config.name +
                  " has an extended id (_idx), and the target has rows, or "
                  "gets some by another plan: abort this plan, and move to a shard without any");
    make_bucket_at_target(config);
    if (!moves) continue;  // none of its rows move
    for (Database* each : {&target_, &source_}) {
      const auto there = each == &source_ ? table : read_table(each->owner(), config.name);
      if (!there) throw ActFailed("bucket " + config.name + " has no table at the target");
      create_row_triggers(*each, *there);
    }
  }
  create_triggers(target_, bucket_list_trigger_sql(), "buckets_config");
  read_tables();
  require_watched();
  wait_for_older_writers(target_, state_.older_writers->at(1));
  // What another plan is still making is compared when its turn is over.
  if (!state_.progress.copies) require_alike();
  return Outcome::done;
}

void Executor::create_row_triggers(Database& database, const Table& table) {
  const std::string sql = table_triggers_sql(database.owner(), table);
  if (!sql.empty()) create_triggers(database, sql, table.name.sql());
}

void Executor::make_schema_at(Database& database) {
  try {
    Transaction transaction(database.owner(), "BEGIN; SELECT pg_advisory_xact_lock(" +
                                                  std::to_string(kCoordinatorLock) + ", 0); " +
                                                  schema_sql(ring_));
    transaction.commit();
  } catch (const SessionError& error) {
    if (error.sqlstate == kOlderPlanState)
      throw Stuck(std::string(database.role_name()) + ": " + error.what());
    throw;
  }
}

/// As the owner, whose tables these are; the guard of the list of buckets is not there yet, or is
/// passed by.
void Executor::make_bucket_at_target(const BucketConfig& config) {
  try {
    Transaction transaction(target_.owner());
    add_bucket(target_.owner(), config);
    transaction.commit();
  } catch (const SessionError& error) {
    if (error.sqlstate != kRefusedState) throw;
    throw ActFailed("bucket " + config.name +
                    " is new at the source since the plan began: end the plan, and plan again");
  }
}

Outcome Executor::arm() {
  if (!state_.identities) {
    // A rollback begins with those of the plan that it takes back. Where failovers have taken them
    // away at both sides, nobody knows what else they have taken: all is compared.
    if (plan_.reverts != 0) state_.progress.verify_again = true;
    state_.identities = identities();
    record("identities of the servers");
  }
  require_state(source_.set_state("'preparing', 'fenced'", "capturing"), source_, "preparing");
  return Outcome::done;
}

/// A transaction that judged a row before the plan's rows were there found no plan, and holds no
/// lock of this one's: where the triggers were there already, by an older plan, nothing has waited
/// for it yet. It holds its lock of the table until it ends, so that those of this moment are all.
void Executor::note_older_writers() {
  if (state_.older_writers) return;
  std::vector<Relation> tables;
  for (const BucketConfig& config : routed(bucket_configs(source_.owner()), plan_.buckets))
    tables.push_back(Relation::named(config.name));
  state_.older_writers = {source_.writers_of(tables), target_.writers_of(tables)};
  record("transactions older than the plan");
}

void Executor::wait_for_older_writers(Database& side, const std::vector<std::string>& older) {
  const auto begun = Clock::now();
  while (!older.empty()) {
    const auto now = side.writers_of(table_names(side.role()));
    const auto left = std::find_if(older.begin(), older.end(), [&](const std::string& each) {
      return std::find(now.begin(), now.end(), each) != now.end();
    });
    if (left == older.end()) return;
    if (Clock::now() - begun > kArmLimit)
      throw ActFailed(std::string("a transaction of the ") + side.role_name() +
                      " that began before the plan and writes to its tables does not end: " +
                      side.writer_named(*left));
    if (stop_asked()) throw ActFailed("stopped");
    rest();
  }
}

Outcome Executor::wait_armed() {
  const Outcome outcome = wait_barrier(false);
  if (outcome != Outcome::done || !state_.older_writers) return outcome;
  wait_for_older_writers(source_, state_.older_writers->at(0));
  return outcome;
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
    } else if (Clock::now() - named_at_ > kNameWriterEach) {
      named_at_ = Clock::now();
      if (const std::string writer = source_.writers_named(); !writer.empty())
        say_waiting(writer + ", and which writes moving rows");
    }
    if (!in_cutover) show();
    std::this_thread::sleep_for(kBarrierPoll);
  }
  return Outcome::done;
}

}  // namespace reshard
