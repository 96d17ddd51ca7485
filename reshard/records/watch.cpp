#include "reshard/records/watch.hpp"

#include <utility>

namespace reshard {
namespace {

using backends::postgres::Session;
using backends::postgres::SessionError;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLookEach{200};
constexpr std::chrono::seconds kShowEach{1};

std::string watch_application(const Plan& plan) {
  return "moray-router reshard watch " + plan.name();
}

}  // namespace

Watch::Watch(const Plan& plan)
    : plan_(plan), sides_{SideSession(plan.from, Role::source, watch_application(plan)),
                          SideSession(plan.to, Role::target, watch_application(plan))} {
  look();
  thread_ = std::thread([this] { run(); });
}

Watch::~Watch() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  woken_.notify_all();
  thread_.join();
}

kept::Asks Watch::asks() const {
  const std::lock_guard lock(mutex_);
  return asks_;
}

void Watch::note(const kept::Asks& asks) {
  const std::lock_guard lock(mutex_);
  merge(asks_, asks);
}

void Watch::show(std::string text, const std::optional<Epochs>& coordinator, bool changed) {
  {
    const std::lock_guard lock(mutex_);
    shown_ = {std::move(text), coordinator};
    at_once_ = at_once_ || changed;
  }
  if (changed) woken_.notify_all();
}

void Watch::run() {
  for (Clock::time_point written{};;) {
    std::optional<Shown> shown;
    bool over = false;
    {
      std::unique_lock lock(mutex_);
      woken_.wait_for(lock, kLookEach, [this] { return over_ || at_once_; });
      over = over_;
      if (over || at_once_ || Clock::now() >= written + kShowEach) std::swap(shown, shown_);
      at_once_ = false;
    }
    if (shown) {
      write(*shown);
      written = Clock::now();
    }
    if (over) return;
    look();
  }
}

/// A side that does not answer has nothing new to say.
void Watch::look() {
  for (SideSession& side : sides_) try {
      note(side.use([this](Session& session) { return kept::asks(session, plan_); }));
    } catch (const SessionError&) {
    }
}

/// No standby, and no disk, is waited for.
void Watch::write(const Shown& shown) {
  for (const Role role : {Role::source, Role::target}) {
    std::optional<std::uint64_t> epoch;
    if (shown.coordinator)
      epoch = role == Role::source ? shown.coordinator->source : shown.coordinator->target;
    if (epoch == 0) continue;  // a side that the coordinator has not taken
    try {
      sides_[role == Role::source ? 0 : 1].use([&](Session& session) {
        session.run_all("SET synchronous_commit = off");
        kept::show(session, plan_, shown.text, epoch);
      });
    } catch (const SessionError&) {
    }
  }
}

}  // namespace reshard
