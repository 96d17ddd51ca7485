#include "fleet/agent/session_keeper.hpp"

#include <exception>
#include <utility>

#include <boost/asio/post.hpp>

namespace fleet {
namespace {

using SessionState = coordination::Session::State;

// A service that was restored to its past refuses those who have seen more of it than it has, and
// tells them nothing. Longer than sessions last by default; one that would last longer is given up
// with nothing lost but its node, which shows the process.
constexpr std::chrono::milliseconds kSilenceMost{15'000};
constexpr int kAgainAtLeastMs = 500, kAgainAtMostMs = 5'000;

}  // namespace

SessionKeeper::SessionKeeper(boost::asio::io_context& loop, MakeSession make, Told told)
    : loop_(loop), make_(std::move(make)), told_(std::move(told)), timer_(loop), silence_(loop) {}

SessionKeeper::~SessionKeeper() = default;

void SessionKeeper::open() {
  try {
    session_ = make_();
  } catch (const std::exception& failed) {
    told_.problem(failed.what());
    return open_later();
  }
  began_ = false;
  session_->on_state([this](SessionState state) { became(state); });
  if (session_->state() == SessionState::connected) return became(SessionState::connected);
  watch_silence();
}

void SessionKeeper::watch_silence() {
  silence_.expires_after(kSilenceMost);
  silence_.async_wait([this, alive = std::weak_ptr<char>(alive_)](const auto& error) {
    if (error || alive.expired() || session_ == nullptr) return;
    if (session_->state() == SessionState::connecting) end(true);
  });
}

void SessionKeeper::open_later() {
  std::uniform_int_distribution<int> ms(kAgainAtLeastMs, kAgainAtMostMs);
  timer_.expires_after(std::chrono::milliseconds(ms(random_)));
  timer_.async_wait([this, alive = std::weak_ptr<char>(alive_)](const auto& error) {
    if (!error && !alive.expired()) open();
  });
}

void SessionKeeper::became(coordination::Session::State state) {
  switch (state) {
    case SessionState::connected:
      silence_.cancel();
      if (std::exchange(began_, true)) return told_.connection(true);
      return told_.began(*session_);
    case SessionState::connecting: watch_silence(); return told_.connection(false);
    case SessionState::expired: ++expired_; return end(false);
    case SessionState::denied:
      told_.problem("the service refuses the fleet's credentials");
      return end(false);
  }
}

/// Not from inside of what the session calls.
void SessionKeeper::end(bool at_once) {
  silence_.cancel();
  boost::asio::post(loop_, [this, at_once, alive = std::weak_ptr<char>(alive_)] {
    if (alive.expired()) return;
    told_.ended();
    session_.reset();
    if (at_once) return open();
    open_later();
  });
}

}  // namespace fleet
