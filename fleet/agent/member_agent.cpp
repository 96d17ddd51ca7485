#include "fleet/agent/member_agent.hpp"

#include <utility>

namespace fleet {

using coordination::Outcome;

namespace {

constexpr const char* kRefused =
    "the service refuses what this member asks for: credentials, or rights";

}  // namespace

MemberAgent::MemberAgent(boost::asio::io_context& loop, MakeSession session, Paths paths,
                         MemberOptions options, OnDisk disk, MemberHost& host, Clock clock)
    : paths_(std::move(paths)), id_(options.id), incarnation_(options.incarnation), host_(host),
      clock_(clock), member_(std::move(options), std::move(disk), clock()),
      keeper_(loop, std::move(session),
              {[this](coordination::Session& began) { session_began(began); },
               [this] { session_ended(); }, [this](bool there) { connection(there); },
               [this](const std::string& problem) { tell(problem); }}),
      timer_(loop) {}

/// Once, however often it is met.
void MemberAgent::tell(const std::string& problem) {
  if (problem != std::exchange(told_, problem)) host_.tell(problem);
}

void MemberAgent::start() {
  keeper_.start();
  pump();
}

void MemberAgent::leave() {
  member_.leave(clock_());
  pump();
}

template <typename Tell>
void MemberAgent::answered(Tell tell) {
  if (!std::exchange(asking_, false)) return;  // the member was told already, as its session ended
  tell();
  pump();
}

void MemberAgent::session_began(coordination::Session& session) {
  requests_ = std::make_unique<MemberRequests>(
      session, paths_, id_, incarnation_,
      MemberRequests::Told{[this](Outcome outcome, std::size_t failed) {
                             if (outcome == Outcome::denied || outcome == Outcome::refused)
                               tell(kRefused);
                             answered([&] { member_.told(outcome, failed, clock_()); });
                           },
                           [this](Seen seen) {
                             told_.clear();
                             answered([&] { member_.seen(std::move(seen), clock_()); });
                           },
                           [this](const std::string& problem) { tell(problem); },
                           [this] { member_.saw_newer(); },
                           [this] {
                             member_.changed(clock_());
                             pump();
                           }});
  host_.session(&session);
  member_.session_began(clock_());
  pump();
}

void MemberAgent::session_ended() {
  host_.session(nullptr);
  requests_.reset();
  if (std::exchange(asking_, false)) member_.told(Outcome::unknown, 0, clock_());
  member_.connection(false, clock_());
  pump();
}

void MemberAgent::connection(bool there) {
  member_.connection(there, clock_());
  pump();
}

void MemberAgent::pump() {
  const auto now = clock_();
  // The answer is sent first: a write to the disk may keep this thread.
  if (!asking_)
    if (auto request = member_.next_request(now)) {
      asking_ = true;
      requests_->ask(*request);
    }
  if (auto work = member_.next_work(now))
    host_.carry_out(*work, [this, alive = std::weak_ptr<char>(alive_)](const std::string& failure,
                                                                       bool for_good) {
      if (alive.expired()) return;
      if (failure.empty())
        member_.did(clock_());
      else
        member_.failed(failure, for_good, clock_());
      pump();
    });
  await_drain();
  ask_row(now);
  host_.follow(member_);
  arm(now);
}

void MemberAgent::ask_row(std::chrono::nanoseconds now) {
  const auto question = member_.next_question(now);
  if (!question) return;
  host_.ask_row(*question, [this, alive = std::weak_ptr<char>(alive_)](RowSays says) {
    if (alive.expired()) return;
    member_.row_said(says, clock_());
    pump();
  });
}

void MemberAgent::await_drain() {
  const bool held = std::exchange(holds_, member_.holding());
  if (!member_.holding() || held) return;
  host_.await_drain(
      [this, number = ++drains_, alive = std::weak_ptr<char>(alive_)](std::uint64_t indeterminate) {
        if (alive.expired() || number != drains_) return;
        member_.drained(indeterminate, clock_());
        pump();
      });
}

/// `now`: by which the member was asked, or what became due since would be slept over.
void MemberAgent::arm(std::chrono::nanoseconds now) {
  const auto wake = member_.wake(now);
  if (!wake) return static_cast<void>(timer_.cancel());
  timer_.expires_after(*wake - now);
  timer_.async_wait([this, alive = std::weak_ptr<char>(alive_)](const auto& error) {
    if (!error && !alive.expired()) pump();
  });
}

}  // namespace fleet
