// What a coordinator does until the way back is given up.
#include <algorithm>
#include <thread>

#include "reshard/executor.hpp"
#include "reshard/verify.hpp"

namespace reshard {
namespace {

constexpr std::chrono::milliseconds kSoakPause{50};
constexpr std::uint64_t kComparedAtOnce = 5'000;
constexpr int kLooks = 3;

}  // namespace

/// Once for each coordinator: a failover may have taken the target's commit away, and a router that
/// was out of reach since may be on a ring that still gives the vnodes to the source, which refuses
/// them.
void Executor::open_target() {
  commit_target();
  for (const RouterAnswer& each :
       routers_.activate(state_.bound, kRouterLimit, false, [this] { confirm(); }))
    watcher_.alarm("router " + each.router + " has not taken the new ring: " + each.message);
  target_open_ = true;
}

/// While the source is away, the target goes on alone, and its log grows.
bool Executor::source_there() {
  if (source_.taken()) return true;
  try {
    source_.take(by_force_);
    read_tables();
    say_waiting("");
    return true;
  } catch (const Waiting& away) {
    say_waiting(away.what());
    return false;
  }
}

/// The source stays what the target is, so that the way back is short. Where that can't be, the
/// plan says so. The target alone decides when it ends.
Outcome Executor::soak() {
  if (!target_open_) open_target();
  bound_log();
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
  const bool over = journal_.asked("finalize") || Clock::now() >= *soak_end_;
  if (over && gate_open("finalize")) return Outcome::done;
  const auto pause = [this] {
    show();
    std::this_thread::sleep_for(kSoakPause);
    return Outcome::more;
  };
  if (!state_.irreversible.empty() || !source_there()) return pause();
  try {
    const std::uint64_t entries = reverse_.cycle();
    figures_.log_entries = entries;
    for (int look = 1; reverse_.applied_count() > 0; ++look) {
      std::vector<DifferingRow> differing;
      for (const auto& [name, keys] : reverse_.applied()) {
        for (DifferingRow& row : differing_now(target_, source_, reverse_.tables().at(name),
                                               keys.first(kComparedAtOnce)))
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
    if (!error.sqlstate.starts_with("23") && !error.sqlstate.starts_with("42")) {
      static_cast<void>(target_.plan_row());  // throws where that is the one
      source_.disconnect();
      return pause();
    }
    state_.irreversible = error.what();
  }
  if (!state_.irreversible.empty()) {
    watcher_.alarm("there is no way back any more: " + state_.irreversible);
    record("not reversible");
  }
  return pause();
}

Outcome Executor::finalize() {
  require_state(target_.set_state("'committed'", "done"), target_, "committed");
  drop_ask("finalize");
  end_log(target_);
  watcher_.event("the source is not kept current any more");
  return Outcome::done;
}

}  // namespace reshard
