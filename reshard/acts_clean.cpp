// What a coordinator does after the way back was given up.
#include "reshard/clean.hpp"
#include "reshard/executor.hpp"

namespace reshard {
namespace {

constexpr std::uint64_t kCleanGroupRows = 20'000;

}  // namespace

Outcome Executor::begin_cleanup() {
  end_logged_at_.reset();  // also by a server that has taken over since
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

/// A standby that took over without it would bring the rows back; once the plan is forgotten,
/// nobody would know that they are not the source's any more. Writers move the log on all the time:
/// what is waited for is where it was first.
void Executor::await_end_flushed() {
  if (!end_logged_at_) end_logged_at_ = source_.unflushed();
  if (!end_logged_at_->empty() && !source_.flushed(*end_logged_at_))
    throw Waiting("a standby of the source has not written the end of the cleanup to disk yet");
}

Outcome Executor::end_cleanup() {
  // Without a cleanup the rows are left, and the plan is over all the same.
  const char* before = plan_.options.cleanup ? "'cleaning'" : "'cleaning', 'committed'";
  require_state(source_.set_state(before, "done"), source_, "cleaning");
  await_end_flushed();
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
