// What a coordinator does from the first router that hears of the cutover to the end of the block.
#include <algorithm>
#include <cstdio>
#include <thread>

#include <nlohmann/json.hpp>

#include "backends/postgres/identifier.hpp"
#include "reshard/executor.hpp"
#include "reshard/schema.hpp"
#include "reshard/verify.hpp"

namespace reshard {
namespace {

using backends::postgres::identifier;
using backends::postgres::Rows;

constexpr std::chrono::seconds kPrepareLimit{60};
constexpr std::chrono::seconds kRouterLimit{5};
constexpr std::chrono::milliseconds kLeaseMargin{1'000};
constexpr std::chrono::milliseconds kFlushPoll{1};
constexpr std::chrono::milliseconds kActivatePoll{20};
constexpr std::chrono::seconds kFlushLimit{30};
constexpr std::chrono::milliseconds kVerdict{
    100};  ///< for a server's own word that a statement took too long
constexpr std::chrono::seconds kUnlimitWithin{2};
constexpr std::uint64_t kComparedMost =
    20'000;  ///< keys that are compared within the block; more, and it is given up
constexpr std::uint64_t kIdRoom = 10'000;  ///< ids that the target leaves out
constexpr std::uint64_t kIdsLeft =
    1'000;  ///< of them, at the cutover: a sequence's cache may be ahead

}  // namespace

std::chrono::milliseconds Executor::budget_left() const {
  const auto limit = std::chrono::milliseconds(plan_.options.max_block_ms);
  if (!block_began_) return limit;
  return limit -
         std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - *block_began_);
}

void Executor::require_budget() const {
  if (budget_left() <= std::chrono::milliseconds(0))
    throw ActFailed("the block has lasted " + std::to_string(plan_.options.max_block_ms) + " ms");
}

/// Behind a block. A server that is lost, or silent, is whoever's needs it next.
void Executor::unlimit() {
  for (Database* each : {&source_, &target_}) try {
      each->answer_until(Clock::now() + kUnlimitWithin);
      each->limit_statements(0);
      each->answer_until(std::nullopt);
    } catch (const backends::postgres::SessionError&) {
    }
}

/// The plan's rows have had their rings since they were made.
Outcome Executor::bind() { return Outcome::done; }

/// Everything that takes its time is done here, before anything is blocked.
Outcome Executor::prepare() {
  block_began_.reset();
  routers_.prepare(kPrepareLimit);
  read_serials();
  advance_sequences(kIdRoom);
  compare_written();
  for (Database* each : {&source_, &target_}) each->limit_statements(plan_.options.max_block_ms);
  return Outcome::done;
}

Outcome Executor::block() {
  block_began_ = Clock::now();
  block_acts_.clear();
  for (Database* each : {&source_, &target_})
    each->answer_until(*block_began_ + std::chrono::milliseconds(plan_.options.max_block_ms) +
                       kVerdict);
  routers_.block(budget_left());
  return Outcome::done;
}

Outcome Executor::fence() {
  require_budget();
  require_state(source_.set_state("'capturing'", "fenced",
                                  "attempt = " + std::to_string(state_.progress.attempt)),
                source_, "capturing");
  return Outcome::done;
}

Outcome Executor::pump_last() {
  require_budget();
  forward_.cycle();
  if (forward_.applied_count() > kComparedMost)
    throw ActFailed("too much was written since it was compared");
  for (const auto& [name, keys] : forward_.applied()) {
    if (keys.empty()) continue;
    const auto differing =
        differing_now(source_, target_, forward_.tables().at(name), {keys.begin(), keys.end()});
    if (!differing.empty())
      throw ActFailed("bucket " + differing.front().bucket + ", key " + differing.front().key +
                      ": " + differing.front().what + ", although it was brought just now");
  }
  return Outcome::done;
}

/// Which tables give ids out of something that the target has to be ahead of.
void Executor::read_serials() {
  serials_.clear();
  for (const auto& [name, pair] : forward_.tables()) {
    const std::string& bucket = pair.source.bucket;
    const std::string serial = identifier(bucket + "_serial"),
                      locking = identifier(bucket + "_locking_serial");
    const Rows there = source_.owner().run(
        "SELECT to_regclass($1::text) IS NOT NULL, to_regclass($2::text) IS NOT NULL",
        {serial, locking});
    // Where ids are issued anew, there is nothing to do.
    if (!plan_.populated && there.text(0, 0) == "t") serials_.push_back({serial, true});
    if (there.text(0, 1) == "t") serials_.push_back({locking, false});
  }
}

/// Ids that the source has given stay unique at the target. `prepare` has left room, so that the
/// block needs no write for it unless the source was quicker.
void Executor::advance_sequences(std::uint64_t room) {
  if (serials_.empty()) return;
  std::string query, sql;
  for (const auto& [name, sequence] : serials_)
    query += (query.empty() ? "SELECT (SELECT " : ", (SELECT ") +
             std::string(sequence ? "last_value" : "coalesce(max(id), 1)") + " FROM " + name + ")";
  source_.owner().send(query);
  target_.owner().send(query);
  const Rows there = target_.owner().receive(), here = source_.owner().receive();
  for (int i = 0; i < here.columns(); ++i) {
    const auto& [name, sequence] = serials_[static_cast<std::size_t>(i)];
    const auto last = std::stoull(std::string(here.text(0, i))),
               last_there = std::stoull(std::string(there.text(0, i)));
    if (sequence && last_there <= last + kIdsLeft)
      sql += "SELECT setval(" + backends::postgres::literal(name) + ", " +
             std::to_string(last + room) + ");";
    if (!sequence && last_there < last)
      sql += "UPDATE " + name + " SET id = " + std::to_string(last) + ";";
  }
  if (!sql.empty()) target_.owner().run_all(sql);
}

Outcome Executor::advance_sequence() {
  require_budget();
  advance_sequences(kIdRoom);
  return Outcome::done;
}

/// Both servers at once. What they are is read with what they have logged, on the same sessions:
/// one that is replaced after that has ended its session, and whatever replaces it has got all of
/// the copy.
Outcome Executor::wait_flushed() {
  source_.ask_standing();
  target_.ask_standing();
  const Database::Standing there = target_.standing(), here = source_.standing();
  for (const auto& [side, standing] : {std::pair(&source_, &here), std::pair(&target_, &there)})
    while (!standing->unflushed.empty() && !side->flushed(standing->unflushed)) {
      require_budget();
      std::this_thread::sleep_for(kFlushPoll);
    }
  flushed_ = {here.identity, there.identity};
  return Outcome::done;
}

/// A failover since the copy may have taken away what was copied, or what the log named; a table or
/// trigger that is gone, what it would have caught.
Outcome Executor::compare_servers() {
  require_budget();
  if (!state_.identities || flushed_ != *state_.identities) {
    watcher_.alarm("a server is not the one that was copied: everything is verified again");
    return Outcome::changed;
  }
  const std::size_t tables = forward_.tables().size();
  if (tables == 0 && bucket_configs(source_.owner()).empty()) return Outcome::done;
  const Rows rows = source_.owner().run(
      "SELECT name, (SELECT count(*) FROM pg_trigger WHERE tgname IN ($1, $2) AND tgenabled = 'O') "
      "FROM buckets_config",
      {kRowTrigger, kTruncateTrigger});
  std::vector<BucketConfig> buckets;
  for (int i = 0; i < rows.count(); ++i) {
    buckets.emplace_back();
    buckets.back().name = rows.text(i, 0);
  }
  if (routed(std::move(buckets), plan_.buckets).size() != tables ||
      (tables > 0 && std::stoull(std::string(rows.text(0, 1))) < 1 + 2 * tables))
    throw ActFailed("a table or a trigger of the source is not there any more, or is disabled");
  return Outcome::done;
}

/// The commit point: this row's count decides.
Outcome Executor::commit() {
  require_budget();
  const Rows rows = source_.owner().run(
      "UPDATE moray_router.reshard_plan SET state = 'committed', changed = now() WHERE plan = "
      "$1::bigint AND state = 'fenced' AND attempt = $2::int AND "
      "epoch = "
      "$3::bigint",
      {plan_.name(), std::to_string(state_.progress.attempt), std::to_string(source_.epoch())});
  require_state(rows.affected() == "1", source_, "fenced");
  committed_ = Clock::now();
  for (Database* each : {&source_, &target_}) each->answer_until(std::nullopt);
  return Outcome::done;
}

void Executor::flush_source() {
  const auto begun = Clock::now();
  const std::string position = source_.unflushed();
  while (!position.empty() && !source_.flushed(position)) {
    if (Clock::now() - begun > kFlushLimit)
      throw ActFailed("a standby of the source does not write the commit to disk");
    std::this_thread::sleep_for(kFlushPoll);
  }
}

/// Until no failover can take the commit back; then its row says so. That mark is flushed behind
/// the block.
Outcome Executor::wait_commit_flushed() {
  flush_source();
  const Rows rows = source_.owner().run(
      "UPDATE moray_router.reshard_plan SET decided = true WHERE plan = $1::bigint AND epoch = "
      "$2::bigint AND state IN ('committed', 'cleaning', 'done')",
      {plan_.name(), std::to_string(source_.epoch())});
  require_state(rows.affected() == "1", source_, "committed");
  return Outcome::done;
}

Outcome Executor::activate() {
  const auto since = committed_.value_or(Clock::now());
  const auto limit = std::chrono::milliseconds(plan_.options.lease_ms) + kLeaseMargin;
  for (;;) {
    const auto missing = routers_.activate(kRouterLimit);
    figures_.behind(missing.size(), since);
    if (missing.empty()) return Outcome::done;
    if (Clock::now() - since > limit) {
      for (const RouterAnswer& each : missing)
        watcher_.alarm("router " + each.router +
                       " has not taken the new ring, and its lease has run out: " + each.message);
      return Outcome::done;
    }
    std::this_thread::sleep_for(kActivatePoll);
  }
}

Outcome Executor::commit_target() {
  if (target_.set_state("'guarded'", "committed")) return Outcome::done;
  const auto row = target_.plan_row();
  require_state(row && row->state == "done", target_, "guarded");  // and finalized since
  return Outcome::done;
}

/// One that does not answer has no writes that wait, or refuses them by itself when its lease has
/// run out.
Outcome Executor::unblock() {
  const bool behind = state_.progress.act == Act::unblock;
  const auto begun = Clock::now();
  for (const RouterAnswer& each :
       routers_.tell("unblock", {{"vnodes", plan_.vnodes.to_text()}}, kRouterLimit))
    if (!each.ok) watcher_.alarm("router " + each.router + ", unblock: " + each.message);
  if (block_began_) {
    const auto now = Clock::now();
    const auto held = now - *block_began_;
    block_acts_.emplace_back(state_.progress.act, now - begun);
    figures_.held(held);
    block_began_.reset();
    const auto text = [](std::chrono::nanoseconds time) {
      char written[32];
      std::snprintf(written, sizeof written, "%.1f ms",
                    std::chrono::duration<double, std::milli>(time).count());
      return std::string(written);
    };
    std::string acts;
    for (const auto& [act, took] : block_acts_)
      acts += (acts.empty() ? "" : ", ") + std::string(to_string(act)) + " " + text(took);
    watcher_.event(std::string(behind ? "cut over: " : "cutover given up: ") +
                   "writes were held for " + text(held) + " (" + acts + ")");
  }
  unlimit();
  if (behind) {
    flush_source();  // a router that heard of nothing goes by it, whoever is here then
    state_.soak_until.clear();
    try {
      hook("post_activate");
    } catch (const ActFailed& error) {
      watcher_.alarm(error.what());  // nothing that is done can be undone by it
    }
  }
  return Outcome::done;
}

/// With the source alone: while the target is gone, its vnodes are the source's as before.
Outcome Executor::back_out() {
  source_.answer_until(Clock::now() + kUnlimitWithin);
  if (!source_.plan_row()) return Outcome::done;
  if (source_.set_state("'preparing', 'fenced'", "capturing")) return Outcome::done;
  const auto row = source_.plan_row();
  if (row && row->state == "aborted") return Outcome::done;
  if (row && row->epoch != source_.epoch())
    throw NotCoordinator("another coordinator has taken over");
  return Outcome::committed;
}

Outcome Executor::drop_pending() {
  for (const RouterAnswer& each : routers_.tell("abandon", {{"lease", plan_.token}}, kRouterLimit))
    if (!each.ok && each.answered && each.code != "not_holder")
      watcher_.alarm("router " + each.router + ", abandon: " + each.message);
  return Outcome::done;
}

void Executor::flush_abort(Database& database) {
  const std::string position = database.unflushed();
  const auto begun = Clock::now();
  while (!position.empty() && !database.flushed(position)) {
    if (Clock::now() - begun > kFlushLimit)
      throw ActFailed(std::string("a standby of the ") + database.role_name() +
                      " does not write the abort to disk");
    std::this_thread::sleep_for(kFlushPoll);
  }
}

/// The source alone decides: where the target is gone for good, a plan ends all the same.
Outcome Executor::abort_plan() {
  const auto row = source_.plan_row();
  if (row && row->state != "aborted") {
    if (row->state == "committed") return Outcome::committed;
    require_state(source_.set_state("'preparing', 'capturing'", "aborted"), source_, "capturing");
  }
  flush_abort(source_);
  return Outcome::done;
}

/// What was copied goes while the guard is still up; a rollback's target keeps what it had.
Outcome Executor::clean_target() {
  const auto guard = target_.plan_row();
  if (guard && guard->state == "guarded") {
    if (state_.progress.copies) drop_copied();
    require_state(target_.set_state("'guarded'", "aborted"), target_, "guarded");
  }
  flush_abort(target_);
  for (Database* each : {&source_, &target_})
    if (each->has_schema())
      each->owner().run("DELETE FROM moray_router.reshard_log WHERE plan = $1::bigint",
                        {plan_.name()});
  return Outcome::done;
}

}  // namespace reshard
