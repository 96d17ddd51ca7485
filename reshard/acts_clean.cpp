// What a coordinator does after the way back was given up.
#include "reshard/clean.hpp"
#include "reshard/executor.hpp"

namespace reshard {
namespace {

constexpr std::uint64_t kCleanGroupRows = 20'000;

}  // namespace

Outcome Executor::begin_cleanup() {
  const auto row = source_.plan_row();
  if (row && row->state == "done") return Outcome::done;
  if (!gate_open("cleanup")) {
    rest();
    return Outcome::more;
  }
  if (!plan_.options.cleanup) return Outcome::done;
  require_left();
  hook("pre_cleanup");
  require_state(source_.set_state("'committed'", "cleaning", "decided = true"), source_,
                "committed");
  source_.drop_log();
  return Outcome::done;
}

Outcome Executor::clean() {
  const auto row = source_.plan_row();
  if (!plan_.options.cleanup || (row && row->state == "done")) return Outcome::done;
  Throttle throttle(
      [this] {
        take_settings();
        show();
        return plan_.options.cleanup_rows_per_second;
      },
      [this] { return stop_asked(); });
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
  // Without a cleanup the rows are left, and the plan is over all the same.
  require_state(source_.set_state("'cleaning', 'committed'", "done"), source_, "cleaning");
  if (plan_.options.cleanup) {
    for (const auto& [name, pair] : forward_.tables())
      watcher_.event("VACUUM (ANALYZE) " + pair.source.name +
                     " at the source gives the space back to it");
  }
  const std::string since = state_.lock_since;
  const bool free = give_lock_back(kEndHook);
  std::vector<std::string> missed;
  if (!plan_.dump_lock)
    missed = hours_locked(hook_times(journal_.history()));
  else if (free)
    missed = hours_since(since);
  std::string hours;
  for (const std::string& hour : missed) hours += (hours.empty() ? "" : ", ") + hour;
  if (!hours.empty())
    watcher_.event(
        "hours (UTC) that began while the site's lock was held, of which a dump may be missing: " +
        hours);
  return Outcome::done;
}

}  // namespace reshard
