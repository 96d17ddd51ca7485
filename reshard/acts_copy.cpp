// What a coordinator does from the first row that is copied to a log that is short.
#include <algorithm>
#include <thread>

#include "reshard/executor.hpp"
#include "reshard/key_scan.hpp"

namespace reshard {
namespace {

constexpr std::uint64_t kCopyGroupRows = 20'000;
constexpr double kCopyGroupBytes = 256 << 20;
constexpr std::chrono::milliseconds kPumpPause{50};
constexpr std::chrono::milliseconds kOldWriter{1'000};  ///< it would hold the fence
constexpr std::chrono::milliseconds kCachePoll{100};
constexpr std::chrono::milliseconds kPumpBesideCopyEach{200};
constexpr std::uint64_t kLagBytes = 16 << 20;  ///< of rows, that the block may have to carry over

/// A group is one statement of the source, and the pump runs between two of them.
std::uint64_t copy_group_rows(const Table& table) {
  if (table.rows_about < 1 || table.bytes_about < 1) return kCopyGroupRows;
  const double each = table.bytes_about / table.rows_about;
  return std::clamp<std::uint64_t>(static_cast<std::uint64_t>(kCopyGroupBytes / each), 1,
                                   kCopyGroupRows);
}

}  // namespace

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

/// What nobody would find by its stored vnode: a row of a moving key that says another vnode, or
/// none. It would be that key's object again once the vnodes are the target's.
void Executor::drop_strays(const Table& target) {
  const Scan scan = plan_.options.trust_vnodes ? Scan::without_vnode : Scan::all;
  const std::uint64_t found = find_strays(
      target_.owner(), target, ring_, plan_.vnodes, scan,
      [&](const std::vector<std::string>& keys) {
        Applying transaction(target_, "guarded");
        target_.apply().run("DELETE FROM " + target.name + " WHERE _key = ANY($1::text[])",
                            {text_array(keys)});
        transaction.commit();
      });
  if (found > 0)
    watcher_.alarm("bucket " + target.bucket + ": " + std::to_string(found) +
                   " rows of moving keys were at the target under other vnodes; they are deleted");
}

/// Nothing is deleted at a shard that owns the vnodes; no other plan's rows keep their ids there.
void Executor::before_copy() {
  require_not_owned(target_);
  wait_for_keeper();
}

void Executor::wait_for_keeper() {
  if (ids_kept_) return;
  if (const auto other = target_.plan_that_keeps_ids())
    throw Waiting(
        "plan " + std::to_string(*other) +
        ", whose rows keep their ids, is to be committed at the target, or aborted, first");
}

/// Buckets are copied vnode by vnode, in the vnodes' order.
CopiedVnodes Executor::copied_vnodes() const {
  CopiedVnodes copied;
  for (const auto& [name, pair] : forward_.tables()) {
    const auto done = state_.copied.find(pair.source.bucket);
    std::uint64_t left = done == state_.copied.end() ? 0 : done->second;
    for (const auto& range : plan_.vnodes.ranges()) {
      if (left == 0) break;
      const std::uint64_t some = std::min<std::uint64_t>(left, range.last - range.first + 1);
      copied[name] = range.first + some - 1;
      left -= some;
    }
  }
  return copied;
}

/// So that the log of a long copy does not wait for its end. It takes at most half of the time:
/// each cycle looks at all of the log.
void Executor::pump_beside_copy() {
  const auto begun = Clock::now();
  if (begun < pump_beside_copy_at_) return;
  figures_.log_entries = forward_.cycle_beside_copy(copied_vnodes());
  forward_.forget_applied();  // a verification comes first
  measure_log(source_);
  const auto now = Clock::now();
  pump_beside_copy_at_ = now + std::max<Clock::duration>(now - begun, kPumpBesideCopyEach);
  show();
}

Outcome Executor::copy() {
  if (!gate_open("copy")) {
    rest();
    return Outcome::more;
  }
  before_copy();
  require_alike();
  if (!wait_for_caches()) return Outcome::more;
  hook("pre_copy");
  if (state_.versions[0].empty()) note_tables();
  Throttle throttle(
      [this] {
        take_settings();
        show();
        return plan_.options.copy_bytes_per_second;
      },
      [this] { return stop_asked(); });
  for (const auto& [name, pair] : forward_.tables()) {
    const std::string& bucket = pair.source.bucket;
    const auto done = state_.copied.find(bucket);
    const std::uint64_t vnodes_done = done == state_.copied.end() ? 0 : done->second;
    if (vnodes_done >= plan_.vnodes.size()) continue;
    give_vnodes(source_, pair.source);
    if (vnodes_done == 0) drop_strays(pair.target);
    watcher_.begin("copy " + bucket, "rows", rows_that_move(pair.source));
    CopyTold told;
    told.rows = [&](std::uint64_t rows, std::uint64_t) { watcher_.progress(rows); };
    told.vnodes = [&](std::uint64_t vnodes) {
      state_.copied[bucket] += vnodes;
      record("");
      show();
    };
    told.stopped = [&] { return stop_asked(); };
    told.between = [this] { pump_beside_copy(); };
    const bool all = copy_table(source_, target_, forward_, pair,
                                groups(pair.source, copy_group_rows(pair.source), vnodes_done),
                                !ids_kept_, throttle, told);
    watcher_.end();
    if (!all) return Outcome::more;
  }
  complete_tables(DefinitionPart::indexes);
  count_copied();
  record("");
  return Outcome::done;
}

/// What was written before it began is at the other side when it ends.
std::uint64_t Executor::cycle(Pump& pump) {
  const std::string begun = time_now();
  figures_.log_entries = pump.cycle();
  figures_.current_to = begun;
  return figures_.log_entries;
}

/// Cycles until the log is short and has been for a while, and nobody has an old transaction that
/// would hold the fence.
Outcome Executor::pump() {
  look_at_tables();
  measure_log(source_);
  const std::uint64_t entries = cycle(forward_);
  forward_.forget_applied();
  if (state_.progress.copies) complete_tables(DefinitionPart::rest);
  if (state_.versions[0].empty() || state_.versions[1].empty()) note_tables();
  show();
  if (entries > plan_.options.lag_rows || forward_.cycle_bytes() > kLagBytes) {
    lag_small_since_.reset();
    return Outcome::more;
  }
  if (!lag_small_since_) lag_small_since_ = Clock::now();
  const auto settle = std::chrono::milliseconds(plan_.options.settle_ms);
  if (Clock::now() - *lag_small_since_ < settle || source_.has_writers_since(kOldWriter)) {
    std::this_thread::sleep_for(kPumpPause);
    return Outcome::more;
  }
  lag_small_since_.reset();
  return Outcome::done;
}

}  // namespace reshard
