// What a coordinator does in the databases while writes are held.
#include <algorithm>
#include <thread>

#include "reshard/executor.hpp"
#include "reshard/schema.hpp"
#include "reshard/table_version.hpp"
#include "reshard/transaction.hpp"
#include "reshard/verify.hpp"

namespace reshard {
namespace {

using backends::postgres::Rows;

constexpr std::chrono::milliseconds kFlushPoll{1};
constexpr std::chrono::seconds kFlushLimit{30};
constexpr std::chrono::seconds kUnlimitWithin{2};
constexpr std::uint64_t kComparedMost =
    20'000;  ///< keys that are compared within the block; more, and it is given up
constexpr std::uint64_t kComparedBytes = 16 << 20;  ///< and of what is remembered of them

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

/// After a block. If a server is lost, or silent, the next act that needs it reports the error.
void Executor::unlimit() {
  for (Database* each : {&source_, &target_}) try {
      if (!each->connected()) continue;
      each->answer_until(Clock::now() + kUnlimitWithin);
      each->unlimit();
      each->answer_until(std::nullopt);
    } catch (const backends::postgres::SessionError&) {
    }
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
  if (forward_.applied_count() > kComparedMost || forward_.applied_bytes() > kComparedBytes)
    throw ActFailed("too much was written since it was compared");
  for (const auto& [name, keys] : forward_.applied()) {
    if (keys.empty()) continue;
    const auto differing =
        differing_now(source_, target_, forward_.tables().at(name), keys.first(kComparedMost));
    if (!differing.empty())
      throw ActFailed("bucket " + differing.front().bucket + ", key " + differing.front().key +
                      ": " + differing.front().what + ", although it was brought just now");
  }
  return Outcome::done;
}

Outcome Executor::advance_sequence() {
  require_budget();
  advance_sequences();
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

/// A failover since the copy may have taken away what was copied, or what the log named; a bucket
/// that came or went would be left behind.
Outcome Executor::compare_servers() {
  require_budget();
  if (!state_.identities || flushed_ != *state_.identities) {
    watcher_.alarm(kServerReplaced);
    return Outcome::changed;
  }
  if (routed(bucket_configs(source_.owner()), plan_.buckets).size() != forward_.tables().size())
    throw ActFailed("a bucket of the source is not there any more, or is new");
  return Outcome::done;
}

/// The commit point: this row's count decides. In its transaction the definitions of the moved
/// tables are held and are those that were compared: a trigger that was off for a moment, or
/// another table under a moved one's name, would have taken writes that no log has. The target's
/// are held until the source has committed.
Outcome Executor::commit() {
  require_budget();
  Transaction there(target_.owner(),
                    Transaction::Sending{held_version_calls(table_names(Role::target))});
  std::vector<backends::postgres::Call> decision = held_version_calls(table_names(Role::source));
  const std::size_t version = decision.size() - 1;
  decision.push_back(
      {"UPDATE moray_router.reshard_plan SET state = 'committed', changed = now() WHERE plan = "
       "$1::bigint AND state = 'fenced' AND attempt = $2::int AND epoch = $3::bigint",
       {plan_.name(), std::to_string(state_.progress.attempt), std::to_string(source_.epoch())}});
  Transaction here(source_.owner(), decision);
  there.receive();
  const std::array<std::string, 2> now{here.results().at(version).string(0, 0),
                                       there.first().string(0, 0)};
  if (now != state_.versions) {
    watcher_.alarm("a moved table's definition was changed: everything is verified again");
    return Outcome::changed;
  }
  require_state(here.first().affected() == "1", source_, "fenced");
  here.commit();
  committed_ = Clock::now();
  there.leave();
  for (Database* each : {&source_, &target_}) each->answer_until(std::nullopt);
  return Outcome::done;
}

/// Until the connected standbys of a side have on disk what it has logged by now.
void Executor::flush(Database& side, const std::string& what) {
  const auto begun = Clock::now();
  const std::string position = side.unflushed();
  while (!position.empty() && !side.flushed(position)) {
    if (Clock::now() - begun > kFlushLimit)
      throw ActFailed(std::string("a standby of the ") + side.role_name() + " does not write " +
                      what + " to disk");
    std::this_thread::sleep_for(kFlushPoll);
  }
}

/// Until no failover can take the commit back; then its row says so. That mark is flushed after the
/// block.
Outcome Executor::wait_commit_flushed() {
  flush(source_, "the commit");
  const Rows rows = source_.owner().run(
      "UPDATE moray_router.reshard_plan SET decided = true WHERE plan = $1::bigint AND epoch = "
      "$2::bigint AND state IN ('committed', 'cleaning', 'done')",
      {plan_.name(), std::to_string(source_.epoch())});
  require_state(rows.affected() == "1", source_, "committed");
  return Outcome::done;
}

/// Where it has no standby, which could take it back, it is decided at once: then routers may have
/// other rings.
Outcome Executor::commit_target() {
  if (target_.set_state("'guarded'", "committed")) {
    if (target_.unflushed().empty()) target_.decide();
    return Outcome::done;
  }
  const auto row = target_.plan_row();
  require_state(row && row->state == "done", target_, "guarded");  // and finalized since
  return Outcome::done;
}

}  // namespace reshard
