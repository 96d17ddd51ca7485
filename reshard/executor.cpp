#include "reshard/executor.hpp"

#include <algorithm>
#include <csignal>
#include <thread>

#include "reshard/settings.hpp"

namespace reshard {
namespace {

using backends::postgres::SessionError;

constexpr int kFailuresMost = 8;
constexpr int kSchemaFailuresMost = 3;  ///< what stands in its way does not go by itself
constexpr std::chrono::milliseconds kFirstPause{100};
constexpr std::chrono::milliseconds kLongestPause{5'000};
constexpr std::chrono::milliseconds kRestStep{20};
constexpr std::chrono::milliseconds kSettingsEach{100};

/// Nothing is blocked while one of these is done, and none has begun what must be ended.
bool may_wait(Act act) {
  switch (act) {
    case Act::make_schema:
    case Act::arm:
    case Act::wait_armed:
    case Act::copy:
    case Act::pump:
    case Act::verify:
    case Act::bind:
    case Act::prepare:
    case Act::soak:
    case Act::finalize:
    case Act::begin_cleanup:
    case Act::clean:
    case Act::end_cleanup:
    case Act::clean_target: return true;
    default: return false;
  }
}

}  // namespace

Executor::Executor(Journal& journal, Routers& routers, const ring::Ring& ring, Watcher watcher,
                   std::function<bool()> interrupted, bool by_force)
    : journal_(journal), plan_(journal.plan()), ring_(ring), watcher_(std::move(watcher)),
      interrupted_(std::move(interrupted)), ended_by_person_(interrupted_), by_force_(by_force),
      state_(journal.read()), source_(plan_, Role::source), target_(plan_, Role::target),
      routers_(routers), forward_(source_, target_, "guarded",
                                  [this](const std::string& text) { watcher_.alarm(text); }),
      reverse_(target_, source_, "committed",
               [this](const std::string& text) { watcher_.alarm(text); }) {
  state_.progress = resumed(state_.progress);
  routers_.set_confirm([this] { confirm(); });
  journal_.carried_on();
  others_pause_ = journal_.asked_at("pause");
  count_what_is_told();
}

bool Executor::may_end_here() const {
  const Progress& at = state_.progress;
  return may_wait(at.act == Act::take_over ? at.after_take_over : at.act);
}

/// Whoever watches is told, and it is counted.
void Executor::count_what_is_told() {
  watcher_.alarm = [this, told = watcher_.alarm](const std::string& text) {
    ++figures_.alarms;
    told(text);
  };
  watcher_.begin = [this, told = watcher_.begin](const std::string& name, const std::string& what,
                                                 std::uint64_t total) {
    figures_.begin(name, total);
    told(name, what, total);
  };
  watcher_.progress = [this, told = watcher_.progress](std::uint64_t amount) {
    figures_.add(amount);
    told(amount);
  };
  watcher_.end = [this, told = watcher_.end] {
    figures_.end();
    told();
  };
}

/// By the catalogue's estimate.
std::uint64_t Executor::rows_that_move(const Table& table) const {
  const auto owner = ring_.pnode_named(plan_.from.pnode);
  const std::uint64_t owned = std::max<std::uint64_t>(
      plan_.vnodes.size(), owner ? ring_.vnodes_of(*owner).size() : ring_.vnode_count());
  return static_cast<std::uint64_t>(table.rows_about * static_cast<double>(plan_.vnodes.size()) /
                                    static_cast<double>(owned));
}

/// The options in force, which `reshard set` may have changed: where nothing is blocked, so that a
/// cutover goes by one budget and one lease from its prepare to its end. What can't be understood
/// changes nothing.
void Executor::take_settings() {
  if (Clock::now() < settings_read_ + kSettingsEach) return;
  settings_read_ = Clock::now();
  try {
    const Settings settings = journal_.settings();
    const PlanOptions options = in_force(journal_.plan().options, settings);
    if (options == plan_.options) return;
    plan_.options = options;
    routers_.set_options(options);
    settings_problem_.clear();
    watcher_.event("options: " + to_text(settings));
  } catch (const std::runtime_error& error) {
    if (settings_problem_ != error.what()) watcher_.alarm(settings_problem_ = error.what());
  }
}

std::optional<Executor::End> Executor::before_act() {
  const Act act = state_.progress.act;
  if (may_end_here()) {
    take_settings();
    look_at_lock_age();
  }
  if (!journal_problem_.empty() && may_end_here() && !recorded("")) {
    if (stop_reason_.empty()) stop_reason_ = "the journal can't be written: " + journal_problem_;
  }
  const bool over = act == Act::finished || act == Act::aborted;
  const bool left = act == Act::clean_target && !left_at_target_.empty();
  if (ours_ && (over || left) && !lock_given_back_)
    give_lock_back(act == Act::finished ? kEndHook : kAbortHook);
  if (over) {
    if (ours_ && !routers_.settled(act == Act::finished, kRouterLimit))
      watcher_.alarm(
          "the fleet has not closed the plan's last change, and changes nothing else until "
          "it has: `reshard forget " +
          plan_.name() + "` closes it");
    if (ours_ && !recorded(act == Act::finished ? "finished" : "aborted")) {
      state_.stopped = "the journal can't be written, and does not say that the plan is over: " +
                       journal_problem_ + journal_lost_;
      return End::stopped;
    }
    return act == Act::finished ? End::finished : End::aborted;
  }
  if (left) {
    recorded("aborted, left at the target: " + left_at_target_);
    watcher_.alarm("what was copied, and its guard, are left at the target (" + left_at_target_ +
                   "); `reshard abort " + plan_.name() + "` takes them away when it is back");
    return End::aborted;
  }
  if (may_end_here() && !stop_reason_.empty()) {
    state_.stopped = stop_reason_;
    if (ours_) recorded("stopped: " + stop_reason_);
    return End::stopped;
  }
  if (aborting_ && act == Act::soak)
    return End::finished;  // it was committed: carried on to where nothing is blocked
  if (may_end_here() && stop_asked()) {
    state_.paused = !hands_over_ || pause_asked();
    if (ours_) recorded(state_.paused ? "paused" : "let go");
    return End::paused;
  }
  return std::nullopt;
}

Executor::End Executor::run() {
  for (;;) {
    opened_ = false;
    if (const auto end = before_act()) {
      shown_ = {};
      show();
      source_.disconnect();
      target_.disconnect();
      return *end;
    }
    const Act act = state_.progress.act;
    if (ours_ && act != Act::take_over && !recorded("") && may_end_here()) {
      if (!journal_lost_.empty()) state_.progress = resumed(state_.progress);
      continue;
    }
    show();
    if (act == crash_.before) std::raise(SIGKILL);
    if (act == crash_.stop_before) {
      crash_.stop_before.reset();
      std::raise(SIGSTOP);
    }
    const auto begun = Clock::now();
    const Outcome outcome = tried(act);
    if (block_began_) block_acts_.emplace_back(act, Clock::now() - begun);
    if (act == crash_.behind && outcome == Outcome::done) std::raise(SIGKILL);
    if (outcome == Outcome::done || outcome == Outcome::more) failures_.erase(act);
    if (act == Act::take_over && outcome == Outcome::done) continue;  // it has read what comes next
    state_.progress = after(state_.progress, outcome);
  }
}

Executor::End Executor::abort() {
  while (!ours_) {
    const Outcome outcome = tried(Act::take_over);
    if (outcome != Outcome::done && interrupted_()) return End::paused;
    if (outcome == Outcome::failed && !stop_reason_.empty()) {
      state_.stopped = stop_reason_;
      return End::stopped;
    }
  }
  const Act act = state_.progress.act;
  const bool late = act >= Act::wait_commit_flushed && act <= Act::end_cleanup;
  if (!late && act != Act::finished && act != Act::aborted) {
    // Which finds out whether it is committed; where the source has decided, only the rest is left.
    if (act != Act::clean_target) state_.progress.act = Act::back_out;
    state_.progress.give_up = true;
    aborting_ = true;
    interrupted_ = [] { return false; };
  }
  return late ? End::finished : run();
}

Outcome Executor::tried(Act act) {
  try {
    take_for(act);
    settle(act);
    const Outcome outcome = perform(act);
    if (outcome == Outcome::done) say_waiting("");
    return outcome;
  } catch (const NotCoordinator&) {
    throw;
  } catch (const JournalFailed&) {  // told already
  } catch (const LoginRefused& refused) {
    if (!may_end_here() || aborting_) return wait_for(act, refused.what());
    stop_reason_ = refused.what();
    failed(act, refused.what());
  } catch (const Waiting& waiting) {
    return wait_for(act, waiting.what());
  } catch (const TableChanged& changed) {
    watcher_.alarm(std::string(changed.what()) +
                   "; this plan has made the target's table, and makes it like that");
  } catch (const SessionError& error) {
    failed(act, error.detail.empty() ? error.what() : error.what() + (" (" + error.detail + ")"));
  } catch (const Stuck& error) {
    stop_reason_ = error.what();
    failed(act, error.what());
  } catch (const ActFailed& error) {
    failed(act, error.what());
  }
  return Outcome::failed;
}

Outcome Executor::wait_for(Act act, const std::string& what) {
  if (act >= Act::prepare && act <= Act::commit) {  // clients are waiting
    failed(act, what);
    return Outcome::failed;
  }
  // A router that did not hear of an attempt's end refuses its vnodes, and by a row that a failover
  // took away it can't find out.
  if (act > Act::take_over && act < Act::prepare) {
    if (undropped_) drop_pending();
    keep_source_open();
  }
  say_waiting(what);
  if (aborting_ && act == Act::clean_target)
    left_at_target_ = what;
  else
    rest();
  return Outcome::more;
}

/// Before the commit a plan that fails again and again stops where nothing is blocked; after it
/// there is only forward.
void Executor::failed(Act act, const std::string& why) {
  if (stop_asked() && may_end_here()) return;
  const int failures = ++failures_[act];
  watcher_.alarm(std::string(to_string(act)) + ": " + why);
  if (act >= Act::prepare && act <= Act::commit &&
      static_cast<std::uint64_t>(++cutovers_failed_) >= plan_.options.attempts)
    stop_reason_ = std::to_string(cutovers_failed_) + " cutovers were given up, the last one at " +
                   std::string(to_string(act)) + ": " + why;
  if (failures >= kFailuresMost && stop_reason_.empty())
    stop_reason_ = std::string(to_string(act)) + " failed: " + why;
  if (act == Act::make_schema && stop_reason_.empty() && failures >= kSchemaFailuresMost)
    stop_reason_ = why;
  if (act >= Act::block && act <= Act::commit) return;  // clients are waiting
  if (!stop_reason_.empty() && may_end_here()) return;  // nothing is waited for
  rest(std::min(kFirstPause * (1 << std::min(failures, 6)), kLongestPause));
}

/// Shorter where it is to stop.
void Executor::rest(std::chrono::milliseconds time) {
  const auto until = Clock::now() + time;
  while (Clock::now() < until && !(stop_asked() && may_end_here())) {
    show();
    std::this_thread::sleep_for(kRestStep);
  }
}

/// Told once, however long it is waited for. Empty: nothing is.
void Executor::say_waiting(const std::string& what) {
  if (what == waiting_for_) return;
  waiting_for_ = what;
  if (!what.empty()) watcher_.event("waits: " + what);
  shown_ = {};
  show();
}

/// Gates are the plan's, whoever runs it: shut from its first moment.
bool Executor::gate_open(const std::string& gate) {
  const auto& gates = plan_.gates;
  if (std::find(gates.begin(), gates.end(), gate) == gates.end() || journal_.asked(gate_ask(gate)))
    return true;
  say_waiting("gate " + gate + ", which `reshard open " + plan_.name() + " " + gate + "` opens");
  return false;
}

Outcome Executor::perform(Act act) {
  switch (act) {
    case Act::take_over: return take_over();
    case Act::make_schema: return make_schema();
    case Act::arm: return arm();
    case Act::wait_armed: return wait_armed();
    case Act::copy: return copy();
    case Act::pump: return pump();
    case Act::verify: return verify();
    case Act::bind: return bind();
    case Act::prepare: return prepare();
    case Act::block: return block();
    case Act::fence: return fence();
    case Act::wait_fenced: return wait_barrier(true);
    case Act::pump_last: return pump_last();
    case Act::advance_sequence: return advance_sequence();
    case Act::wait_flushed: return wait_flushed();
    case Act::compare_servers: return compare_servers();
    case Act::commit: return commit();
    case Act::wait_commit_flushed: return wait_commit_flushed();
    case Act::activate: return activate();
    case Act::commit_target: return commit_target();
    case Act::unblock:
    case Act::unblock_source: return unblock();
    case Act::soak: return soak();
    case Act::finalize: return finalize();
    case Act::begin_cleanup: return begin_cleanup();
    case Act::clean: return clean();
    case Act::end_cleanup: return end_cleanup();
    case Act::back_out: return back_out();
    case Act::drop_pending: return drop_pending();
    case Act::abort_plan: return abort_plan();
    case Act::clean_target: return clean_target();
    case Act::finished:
    case Act::aborted: break;
  }
  return Outcome::done;
}

void Executor::require_state(bool good, Database& where, const char* wanted) {
  if (good) return;
  const auto row = where.plan_row();
  if (row && row->epoch != where.epoch())
    throw NotCoordinator("another coordinator has taken over");
  throw ActFailed(std::string("the plan's row at the ") + where.role_name() +
                  (row ? " says " + row->state : " is gone") + ", not " + wanted);
}

/// Some of the plan's vnodes, from the first that is not left out.
std::vector<VnodeGroup> Executor::groups(const Table& table, std::uint64_t rows,
                                         std::uint64_t vnodes_left_out) const {
  const auto owner = ring_.pnode_named(plan_.from.pnode);
  const std::uint64_t owned = owner ? ring_.vnodes_of(*owner).size() : ring_.vnode_count();
  std::vector<std::uint32_t> vnodes;
  plan_.vnodes.each([&](ring::Vnode vnode) { vnodes.push_back(number(vnode)); });
  vnodes.erase(vnodes.begin(), vnodes.begin() + static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(
                                                    vnodes_left_out, vnodes.size())));
  return groups_of(ring::VnodeSet::of(std::move(vnodes)), table,
                   std::max(owned, plan_.vnodes.size()), rows);
}

}  // namespace reshard
