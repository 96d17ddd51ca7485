#include "fleet/agent/coordinator_agent.hpp"

#include <utility>

#include <boost/asio/post.hpp>

namespace fleet {

using coordination::Outcome;

CoordinatorAgent::CoordinatorAgent(boost::asio::io_context& loop, MakeSession session, Paths paths,
                                   CoordinatorOptions options, Intent intent, Told told,
                                   Clock clock)
    : loop_(loop), paths_(std::move(paths)), told_(std::move(told)), clock_(clock),
      coordinator_(std::move(options), std::move(intent), clock()),
      keeper_(loop, std::move(session),
              {[this](coordination::Session& began) { session_began(began); },
               [this] { session_ended(); },
               [this](bool there) {
                 coordinator_.connection(there, clock_());
                 pump();
               },
               [this](const std::string& problem) { tell(problem); }}),
      timer_(loop) {}

/// Once, however often it is met.
void CoordinatorAgent::tell(const std::string& problem) {
  if (problem != std::exchange(problem_, problem)) told_.problem(problem);
}

template <typename Tell>
void CoordinatorAgent::answered(Tell tell) {
  if (!std::exchange(asking_, false)) return;  // it was told already, as its session ended
  tell();
  pump();
}

void CoordinatorAgent::start() {
  keeper_.start();
  pump();  // it ends at its limit though it reaches nobody
}

void CoordinatorAgent::aim(Aim aim) {
  coordinator_.aim(aim);
  pump();
}

void CoordinatorAgent::session_began(coordination::Session& session) {
  requests_ = std::make_unique<CoordinatorRequests>(
      session, paths_,
      CoordinatorRequests::Told{
          [this](Outcome outcome) { answered([&] { coordinator_.told(outcome, clock_()); }); },
          [this](const Seen& seen) { answered([&] { coordinator_.seen(seen, clock_()); }); },
          [this](Roster roster) {
            answered([&] { coordinator_.roster(std::move(roster), clock_()); });
          },
          [this](const std::map<std::string, Heard>& heard) {
            answered([&] { coordinator_.heard(heard); });
          },
          [this](const std::string& problem) { tell(problem); },
          [this] {
            coordinator_.changed(clock_());
            pump();
          }});
  coordinator_.session_began(clock_());
  pump();
}

void CoordinatorAgent::session_ended() {
  requests_.reset();
  if (std::exchange(asking_, false)) coordinator_.told(Outcome::unknown, clock_());
  coordinator_.connection(false, clock_());
  pump();
}

void CoordinatorAgent::pump() {
  if (ended_) return;
  const auto now = clock_();
  if (!asking_)
    if (auto request = coordinator_.next_request(now)) {
      asking_ = true;
      requests_->ask(*request);
    }
  if (!coordinator_.ending()) return arm(now);
  ended_ = true;
  timer_.cancel();
  boost::asio::post(loop_, [ended = told_.ended, ending = *coordinator_.ending(),
                            alive = std::weak_ptr<char>(alive_)] {
    if (!alive.expired()) ended(ending);
  });
}

/// `now`: by which the coordinator was asked, or what became due since would be slept over.
void CoordinatorAgent::arm(std::chrono::nanoseconds now) {
  const auto wake = coordinator_.wake(now);
  if (!wake) return static_cast<void>(timer_.cancel());
  timer_.expires_after(*wake - now);
  timer_.async_wait([this, alive = std::weak_ptr<char>(alive_)](const auto& error) {
    if (!error && !alive.expired()) pump();
  });
}

}  // namespace fleet
