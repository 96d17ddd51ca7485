// What a coordinator does so that the log of a plan stays within its bound, and is seen.
#include <algorithm>

#include "reshard/executor.hpp"

namespace reshard {
namespace {

constexpr std::chrono::seconds kMeasureEach{1};
constexpr int kMeasurePart = 10;  ///< of the time, at most: a measurement reads all of the log
constexpr double kAlarmFrom = 0.8, kAlarmAgainBelow = 0.5;  ///< of the bound

std::string size_text(std::uint64_t bytes) {
  return bytes < 10 << 20 ? std::to_string(bytes) + " bytes" : std::to_string(bytes >> 20) + " MiB";
}

}  // namespace

/// False: it is not time yet. At the side whose log the plan's pump reads.
bool Executor::measure_log(Database& side) {
  const auto begun = Clock::now();
  if (begun < log_measured_at_) return false;
  const Database::LogSize size = side.log_size();
  const auto now = Clock::now();
  log_measured_at_ = now + std::max<Clock::duration>(kMeasureEach, kMeasurePart * (now - begun));
  figures_.log_waiting = size.entries;
  figures_.log_bytes = size.bytes;
  const double part =
      static_cast<double>(size.bytes) / static_cast<double>(plan_.options.log_bytes);
  if (part < kAlarmAgainBelow) log_alarmed_ = false;
  if (part < kAlarmFrom || log_alarmed_) return true;
  log_alarmed_ = true;
  watcher_.alarm("the log at the " + std::string(side.role_name()) + " has " +
                 std::to_string(size.entries) + " entries, " + size_text(size.bytes) + " of " +
                 size_text(plan_.options.log_bytes) + " that it may have (--log-bytes)");
  return true;
}

/// The log for the way back grows while the source is away, or does not take the rows. Beyond its
/// bound the way back is given up, and the new owner goes on alone. Its row becomes `done`, as by
/// `finalize`: the trigger logs nothing from then on, and refuses nothing, so that no write waits
/// or fails; finds by the ring before the cutover go on leaving its rows out; and what writers
/// under way will still log is nobody's. The old owner keeps its fence and its rows until the soak
/// is over, since neither depends on that row. The row comes first: a coordinator that ends after
/// it leaves one that says so.
void Executor::bound_log() {
  if (!measure_log(target_)) return;
  const bool ended = [this] {
    const auto row = target_.plan_row();
    return row && row->state == "done";
  }();
  const bool over = figures_.log_bytes >= plan_.options.log_bytes;
  if (!ended && over) require_state(target_.set_state("'committed'", "done"), target_, "committed");
  if ((!ended && !over) || state_.log_given_up) return;
  const std::string why = "the log for the way back has come to its bound of " +
                          size_text(plan_.options.log_bytes) +
                          " (--log-bytes), and nothing is logged any more";
  state_.log_given_up = true;
  state_.irreversible = why;
  watcher_.alarm("there is no way back any more: " + why);
  record("not reversible");
  end_log(target_);
  figures_.log_waiting = figures_.log_bytes = 0;
}

}  // namespace reshard
