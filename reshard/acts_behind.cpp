// What a coordinator does behind a cutover.
#include <algorithm>
#include <thread>

#include "reshard/clean.hpp"
#include "reshard/executor.hpp"
#include "reshard/verify.hpp"

namespace reshard {
namespace {

constexpr std::uint64_t kCleanGroupRows = 20'000;
constexpr std::chrono::milliseconds kSoakPause{50};
constexpr std::uint64_t kComparedAtOnce = 5'000;
constexpr int kLooks = 3;

}  // namespace

/// The source stays what the target is, so that the way back is short. Where that can't be, the
/// plan says so.
Outcome Executor::soak() {
  if (!target_open_) {  // a failover may have taken its commit away
    commit_target();
    target_open_ = true;
  }
  const std::chrono::milliseconds whole(plan_.options.soak_seconds * 1'000);
  if (state_.soak_until.empty()) {
    state_.soak_until = time_in(plan_.options.soak_seconds * 1'000);
    soak_end_ = Clock::now() + whole;
    record("soak");
    watcher_.event("the source is kept current until " + state_.soak_until +
                   "; `reshard rollback " + plan_.name() + "` goes back, `reshard finalize " +
                   plan_.name() + "` ends this");
  }
  // By the wall clock only as far as the soak outlives a coordinator.
  if (!soak_end_)
    soak_end_ = Clock::now() +
                std::clamp(time_until(state_.soak_until), std::chrono::milliseconds(0), whole);
  if (journal_.asked("finalize") || Clock::now() >= *soak_end_) return Outcome::done;
  const auto pause = [this] {
    show();
    std::this_thread::sleep_for(kSoakPause);
    return Outcome::more;
  };
  if (!state_.irreversible.empty()) return pause();
  try {
    const std::uint64_t entries = reverse_.cycle();
    figures_.log_entries = entries;
    for (int look = 1; reverse_.applied_count() > 0; ++look) {
      std::vector<DifferingRow> differing;
      for (const auto& [name, keys] : reverse_.applied()) {
        std::vector<std::string> some(keys.begin(), keys.end());
        some.resize(std::min<std::size_t>(some.size(), kComparedAtOnce));
        for (DifferingRow& row : differing_now(target_, source_, reverse_.tables().at(name), some))
          differing.push_back(std::move(row));
      }
      if (differing.empty()) break;
      if (look >= kLooks && reverse_.cycle() == 0) {
        const DifferingRow& row = differing.front();
        state_.irreversible = "bucket " + row.bucket + ", key " + row.key +
                              ": the source did not become what the target is";
        break;
      }
      reverse_.cycle();
      if (look > 20) break;  // written all the time
    }
    reverse_.forget_applied();
    if (state_.irreversible.empty() && entries > plan_.options.lag_rows) return Outcome::more;
  } catch (const ActFailed& error) {
    state_.irreversible = error.what();
  } catch (const backends::postgres::SessionError& error) {
    // A lost server comes back; one that refuses the rows as such does not change its mind.
    if (!error.sqlstate.starts_with("23") && !error.sqlstate.starts_with("42")) throw;
    state_.irreversible = error.what();
  }
  if (!state_.irreversible.empty()) {
    watcher_.alarm("there is no way back any more: " + state_.irreversible);
    record("not reversible");
  }
  return pause();
}

Outcome Executor::finalize() {
  journal_.unask("finalize");
  require_state(target_.set_state("'committed'", "done"), target_, "committed");
  target_.owner().run("DELETE FROM moray_router.reshard_log WHERE plan IN (" + target_.plan_list() +
                      ")");
  watcher_.event("the source is not kept current any more");
  return Outcome::done;
}

Outcome Executor::begin_cleanup() {
  const auto row = source_.plan_row();
  if (row && row->state == "done") return Outcome::done;
  if (!plan_.options.cleanup) return Outcome::done;
  hook("pre_cleanup");
  require_state(source_.set_state("'committed'", "cleaning", "decided = true"), source_,
                "committed");
  source_.owner().run("DELETE FROM moray_router.reshard_log WHERE plan IN (" + source_.plan_list() +
                      ")");
  return Outcome::done;
}

Outcome Executor::clean() {
  const auto row = source_.plan_row();
  if (!plan_.options.cleanup || (row && row->state == "done")) return Outcome::done;
  Throttle throttle(plan_.options.cleanup_rows_per_second);
  bool all = true;
  for (const auto& [name, pair] : forward_.tables()) {
    if (!all) break;
    watcher_.begin("clean " + pair.source.bucket, "rows", rows_that_move(pair.source));
    all = clean_table(
        source_, pair.source, groups(pair.source, kCleanGroupRows), "cleaning", throttle,
        [this](std::uint64_t rows) {
          watcher_.progress(rows);
          show();
        },
        [this] { return stop_asked(); });
    watcher_.end();
  }
  return all ? Outcome::done : Outcome::more;
}

Outcome Executor::end_cleanup() {
  if (plan_.options.cleanup) {
    require_state(source_.set_state("'cleaning'", "done"), source_, "cleaning");
    for (const auto& [name, pair] : forward_.tables())
      watcher_.event("VACUUM (ANALYZE) " + pair.source.name +
                     " at the source gives the space back to it");
  }
  hook("post_finalize");
  std::string hours;
  for (const std::string& hour : hours_locked(hook_times(journal_.history())))
    hours += (hours.empty() ? "" : ", ") + hour;
  if (!hours.empty())
    watcher_.event(
        "hours (UTC) that began while the site's lock was held, of which a dump may be missing: " +
        hours);
  return Outcome::done;
}

}  // namespace reshard
