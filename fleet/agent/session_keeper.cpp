#include "fleet/agent/session_keeper.hpp"

#include <exception>
#include <utility>

#include <boost/asio/post.hpp>

namespace fleet {
namespace {

using SessionState = coordination::Session::State;

constexpr int kAgainAtLeastMs = 500, kAgainAtMostMs = 5'000;

}  // namespace

SessionKeeper::SessionKeeper(boost::asio::io_context& loop, MakeSession make, Told told)
    : loop_(loop), make_(std::move(make)), told_(std::move(told)), timer_(loop) {}

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
  if (session_->state() == SessionState::connected) became(SessionState::connected);
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
      if (std::exchange(began_, true)) return told_.connection(true);
      return told_.began(*session_);
    case SessionState::connecting: return told_.connection(false);
    case SessionState::expired: ++expired_; return end();
    case SessionState::denied:
      told_.problem("the service refuses the fleet's credentials");
      return end();
  }
}

/// Not from inside of what the session calls.
void SessionKeeper::end() {
  boost::asio::post(loop_, [this, alive = std::weak_ptr<char>(alive_)] {
    if (alive.expired()) return;
    told_.ended();
    session_.reset();
    open_later();
  });
}

}  // namespace fleet
