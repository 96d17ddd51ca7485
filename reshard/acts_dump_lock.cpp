// The site's lock as a node of ZooKeeper: taken before the copy, and given back when the plan is
// over.
#include "reshard/dumps.hpp"
#include "reshard/executor.hpp"

namespace reshard {
namespace {

constexpr std::chrono::seconds kLookWithin{3};       ///< then others who ask are heard
constexpr std::chrono::seconds kGiveBackWithin{15};  ///< nobody comes after that by himself
constexpr std::chrono::seconds kLookEach{1};

}  // namespace

/// Once for a plan and the one that takes it back, which has its token. That it is about to be
/// taken is recorded first: of an answer that was lost, or a coordinator that died, the next one
/// knows that there may be something to give back. One that goes on with a plan looks once whether
/// the lock is still there; while ZooKeeper is away, it goes by the journal.
void Executor::take_dump_lock() {
  const bool held = state_.lock == kLockHeld;
  if (held && site_lock_.seen) return wait_for_dumps();
  if (!waiting_for_.empty() && site_lock_.looked_at &&
      Clock::now() < *site_lock_.looked_at + kLookEach)
    throw Waiting(waiting_for_);
  site_lock_.looked_at = Clock::now();
  const auto write = [&] {
    if (held)
      watcher_.alarm(
          "the site's lock " + plan_.dump_lock->path +
          " does not name this plan any more: somebody has removed it; it is taken anew");
    state_.lock = held ? kLockHeld : kLockTaken;
    if (state_.lock_since.empty()) state_.lock_since = time_now();
    record(held ? "the site's lock is taken anew" : "the site's lock is taken");
  };
  std::optional<LockedByOthers> others;
  try {
    if (site_lock_.node == nullptr) site_lock_.node = dump_lock_of(plan_, site_lock_.loop);
    others = site_lock_.node->take(kLookWithin, write);
  } catch (const Waiting& away) {
    if (!held) wait_for_lock(away.what());
    watcher_.alarm(std::string(away.what()) + "; by the journal this plan has it");
    return wait_for_dumps();
  }
  if (others) {
    if (held) watcher_.alarm("the site's lock was this plan's, and is another's: " + others->who);
    if (!state_.lock.empty()) {
      state_.lock.clear();
      state_.lock_since.clear();
      record("the site's lock is another's");
    }
    const auto age = -time_until(time_of(others->created_ms));
    if (age > std::chrono::seconds(plan_.dump_lock->alarm_seconds) && !site_lock_.alarmed) {
      site_lock_.alarmed = true;
      watcher_.alarm(others->who + ", for " + std::to_string(age / std::chrono::seconds(1)) + " s");
    }
    wait_for_lock("the site's lock: " + others->who);
  }
  site_lock_.node.reset();
  site_lock_.waits_since.reset();
  site_lock_.seen = true;
  state_.lock = kLockHeld;
  if (state_.lock_since.empty()) state_.lock_since = time_now();
  record("the site's lock is held");
  wait_for_dumps();
}

void Executor::wait_for_lock(const std::string& what) {
  const auto limit = plan_.dump_lock->wait_seconds;
  if (!site_lock_.waits_since) site_lock_.waits_since = Clock::now();
  if (limit && Clock::now() >= *site_lock_.waits_since + std::chrono::seconds(*limit))
    throw Stuck(what + "; --dump-lock-wait is " + std::to_string(*limit) + " s");
  throw Waiting(what);
}

/// The lock stops those that begin later.
void Executor::wait_for_dumps() {
  if (site_lock_.dumps_ended || !state_.progress.copies || !state_.copied.empty()) return;
  for (Database* side : {&source_, &target_})
    if (const std::string dumps = dumps_at(*side); !dumps.empty())
      wait_for_lock(dumps + ", which began before this plan had the site's lock");
  site_lock_.dumps_ended = true;
}

/// As of a hook's lock: what fails is told, and its end waits for nothing. False: it is still held.
bool Executor::give_dump_lock_back() {
  if (state_.lock.empty()) return true;
  const std::string& path = plan_.dump_lock->path;
  state_.lock = kLockGivenBack;
  recorded("the site's lock is given back");
  try {
    if (!dump_lock_of(plan_, site_lock_.loop)->give_back(kGiveBackWithin))
      watcher_.alarm("the site's lock " + path +
                     " did not name this plan any more: somebody has removed it");
  } catch (const ActFailed& error) {
    state_.lock = kLockHeld;
    watcher_.alarm(std::string(error.what()) + "; it is held since " + state_.lock_since +
                   "; `reshard retry " + plan_.name() + "` tries that again");
    recorded(std::string("failed: ") + error.what());
    return false;
  }
  state_.lock.clear();
  state_.lock_since.clear();
  recorded("the site's lock is free of this plan");
  watcher_.event("the site's lock " + path + " is given back");
  return true;
}

/// Told once by each coordinator.
void Executor::look_at_lock_age() {
  if (!plan_.dump_lock || site_lock_.alarmed || state_.lock_since.empty()) return;
  const std::uint64_t alarm = plan_.dump_lock->alarm_seconds;
  if (-time_until(state_.lock_since) <= std::chrono::seconds(alarm)) return;
  site_lock_.alarmed = true;
  watcher_.alarm("the site's lock " + plan_.dump_lock->path + " is held since " +
                 state_.lock_since + ", for more than " + std::to_string(alarm) +
                 " s: dumps are missed");
}

}  // namespace reshard
