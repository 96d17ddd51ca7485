// What a coordinator does until the way back is given up.
#include <algorithm>
#include <thread>

#include "reshard/executor.hpp"

namespace reshard {
namespace {

using backends::postgres::SessionError;

constexpr std::chrono::milliseconds kSoakPause{50};
constexpr std::chrono::seconds kTryBackEach{60};
constexpr std::chrono::hours kAtOnce{1};  ///< so long ago that it is done in the next round
constexpr std::uint64_t kCompareGroupRows = 20'000;
// Of a statement at the source that gets no answer: the reason is looked for, and whoever asks for
// something meanwhile is heard.
constexpr std::chrono::milliseconds kNameAfter{500};
constexpr std::chrono::milliseconds kNameEach{2'000};
constexpr std::chrono::milliseconds kSlow{5'000};
constexpr std::chrono::milliseconds kHeardAfter{1'000};

/// Something that ends by itself: a lock, a deadlock, a full disk, a server that is going down.
/// What the server has against the rows as such does not.
bool passes(const std::string& sqlstate) {
  return !sqlstate.starts_with("23") && !sqlstate.starts_with("42") && !sqlstate.starts_with("22");
}

/// The session is as good as before.
bool waited_for_lock(const std::string& sqlstate) {
  return sqlstate == "55P03" || sqlstate == "40P01" || sqlstate == "40001";
}

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

/// While the source is away, or does not let this coordinator in, the target goes on alone, and its
/// log grows.
bool Executor::source_there() {
  if (!source_.taken()) {
    try {
      take_side(source_);
      read_tables();
    } catch (const ActFailed& away) {
      say_waiting(away.what());
    } catch (const SessionError& error) {
      say_waiting(std::string("the source: ") + error.what());
    }
  }
  if (!source_.taken()) return false;
  for (const auto& [session, other] : {std::pair(&source_.owner(), &source_.apply()),
                                       std::pair(&source_.apply(), &source_.owner())})
    session->while_waiting([this, session = session, other = other](auto waited) {
      return source_is_silent(session->process(), *other, waited);
    });
  return true;
}

/// Between two looks for an answer of the source in a soak. A lock that somebody has there makes
/// the reverse stream wait, and is named. True: somebody asks for what can't wait for that; the
/// statement is as if it had never been, and its log entries are still there.
bool Executor::source_is_silent(int process, backends::postgres::Session& other,
                                std::chrono::milliseconds waited) {
  if (state_.progress.act != Act::soak) return false;
  show();
  if (waited > kHeardAfter && (stop_asked() || journal_.asked("finalize"))) return true;
  if (waited < kNameAfter || Clock::now() < named_at_ + kNameEach) return false;
  named_at_ = Clock::now();
  try {
    const std::string holder = source_.blocker_of(process, other);
    if (!holder.empty())
      say_waiting("the reverse stream waits for a lock at the source, which " + holder + " holds");
    else if (waited > kSlow)
      say_waiting("the source takes more than " + std::to_string(kSlow.count() / 1'000) +
                  " s for an answer");
  } catch (const SessionError&) {  // it does not answer this one either
    say_waiting("the source does not answer");
  }
  return false;
}

/// By the wall clock only as far as the soak outlives a coordinator. A soak that is made longer, or
/// shorter, ends so much later or earlier; it never begins anew.
void Executor::count_soak() {
  const std::uint64_t seconds = plan_.options.soak_seconds;
  const auto whole = std::chrono::milliseconds(seconds * 1'000);
  if (state_.soak_until.empty()) {
    state_.soak_until = time_in(seconds * 1'000);
    state_.soak_seconds = seconds;
    soak_end_ = Clock::now() + whole;
    record("soak");
    watcher_.event("the source is kept current until " + state_.soak_until +
                   "; `reshard rollback " + plan_.name() + "` goes back, `reshard finalize " +
                   plan_.name() + "` ends this");
  }
  const std::uint64_t planned = state_.soak_seconds.value_or(journal_.plan().options.soak_seconds);
  if (!soak_end_)
    soak_end_ =
        Clock::now() + std::clamp(time_until(state_.soak_until), std::chrono::milliseconds(0),
                                  std::chrono::milliseconds(planned * 1'000));
  if (planned == seconds) return;
  *soak_end_ += whole - std::chrono::milliseconds(planned * 1'000);
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(*soak_end_ - Clock::now());
  state_.soak_until = time_in(static_cast<std::uint64_t>(std::max<std::int64_t>(left.count(), 0)));
  state_.soak_seconds = seconds;
  record("soak until " + state_.soak_until);
  watcher_.event("the soak takes " + std::to_string(seconds) + " s, until " + state_.soak_until);
}

ComparedSides Executor::soaking_sides() {
  return {target_.owner(), source_.owner(), "target", "source"};
}

/// A cycle of the reverse stream, and one look at what it has brought: what is written all the time
/// is looked at again in the next round, so that no round takes long. Returns the cycle's entries.
/// Throws ActFailed where the source did not become what the target is.
std::uint64_t Executor::keep_current() {
  const std::uint64_t entries = cycle(reverse_);
  bool room = true;
  for (const auto& [name, keys] : reverse_.applied())
    keys.each_part([&, &bucket = name](const std::vector<std::string>& part) {
      room = room && doubts_.add(bucket, part);
    });
  reverse_.forget_applied();
  const auto differing = doubts_.look(soaking_sides(), reverse_.tables());
  if (differing.empty()) return entries;
  doubts_.clear();
  const DifferingRow& row = differing.front();
  throw ActFailed("bucket " + row.bucket + ", key " + row.key + ": " + row.what +
                  "; the source did not become what the target is");
}

/// Whatever made the way back impossible may be gone: the log is carried over, and then all rows
/// are compared, since nobody knows what was missed. Throws ActFailed where it is not.
void Executor::look_for_way_back() {
  doubts_.clear();
  cycle(reverse_);
  reverse_.forget_applied();
  const auto in_groups = [this](const Table& table) { return groups(table, kCompareGroupRows); };
  ComparisonTold told;
  told.table = [](const std::string&) {};
  told.rows = [this](std::uint64_t) { show(); };
  told.stopped = [this] { return stop_asked() || journal_.asked("finalize"); };
  told.again = [this] {
    cycle(reverse_);
    reverse_.forget_applied();
    return true;
  };
  const Comparison found = compare_sides(soaking_sides(), reverse_.tables(), in_groups, told);
  if (found.differ > 0)
    throw ActFailed(std::to_string(found.differ) + " rows differ (bucket " +
                    found.differing.front().bucket + ", key " + found.differing.front().key + ": " +
                    found.differing.front().what + ")");
  if (found.pending > 0)
    throw ActFailed(std::to_string(found.pending) + " keys change too fast to be compared");
  state_.irreversible.clear();
  record("reversible again");
  watcher_.event("the way back is there again: " + std::to_string(found.rows) +
                 " rows were compared, and none differs");
}

void Executor::no_way_back(const std::string& why) {
  if (stop_asked() || journal_.asked("finalize")) return;  // it was cut off, and says nothing
  tried_back_ = Clock::now();
  if (why == state_.irreversible) return;
  state_.irreversible = why;
  watcher_.alarm("there is no way back any more: " + why +
                 ". This is tried again each minute, and "
                 "at once by `reshard retry " +
                 plan_.name() + "`");
  record("not reversible");
}

/// The source stays what the target is, so that the way back is short. Where that can't be, the
/// plan says so, and tries it again now and then. The target alone decides when it ends. Each round
/// is short: whoever asks for something is heard between two.
Outcome Executor::soak() {
  if (!target_open_) open_target();
  bound_log();
  count_soak();
  const bool over = journal_.asked("finalize") || Clock::now() >= *soak_end_;
  if (over && gate_open("finalize")) return Outcome::done;
  const auto pause = [this] {
    show();
    std::this_thread::sleep_for(kSoakPause);
    return Outcome::more;
  };
  const bool asked = journal_.asked("retry"), back = state_.irreversible.empty();
  if (state_.log_given_up) {
    if (asked) drop_ask("retry");
    return pause();
  }
  if (!back && !asked && tried_back_ && Clock::now() < *tried_back_ + kTryBackEach) return pause();
  if (!source_there()) return pause();
  try {
    std::uint64_t entries = 0;
    if (asked && soak_looked_at_ != Clock::time_point()) soak_looked_at_ -= kAtOnce;
    look_at_soaking_tables();
    if (back) {
      entries = keep_current();
    } else {
      tried_back_ = Clock::now();
      look_for_way_back();
    }
    if (!over) say_waiting("");
    if (asked) drop_ask("retry");
    if (entries > plan_.options.lag_rows) return Outcome::more;
  } catch (const TablesChanged&) {
    soak_looked_at_ -= kAtOnce;
  } catch (const ActFailed& error) {
    no_way_back(error.what());
    if (asked) drop_ask("retry");
  } catch (const SessionError& error) {
    if (waited_for_lock(error.sqlstate)) {  // whoever holds it was named while it was waited for
      if (waiting_for_.empty()) say_waiting(std::string("the reverse stream: ") + error.what());
      return Outcome::more;
    }
    if (passes(error.sqlstate)) {
      static_cast<void>(target_.plan_row());  // throws where that is the one
      say_waiting(std::string("the source: ") + error.what());
      source_.disconnect();
      return pause();
    }
    no_way_back(error.what());
    if (asked) drop_ask("retry");
  }
  return pause();
}

Outcome Executor::finalize() {
  say_waiting("");
  require_state(target_.set_state("'committed'", "done"), target_, "committed");
  drop_ask("finalize");
  end_log(target_);
  watcher_.event("the source is not kept current any more");
  return Outcome::done;
}

}  // namespace reshard
