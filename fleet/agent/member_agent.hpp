#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "fleet/agent/session_keeper.hpp"
#include "fleet/protocol/member.hpp"
#include "fleet/service/member_requests.hpp"

namespace fleet {

/// What a member is a member with: a disk, a ring in force, requests that wait. Everything is
/// called on the agent's thread.
class MemberHost {
 public:
  /// `failure`: empty: it is done, and on disk; else why not; `for_good`: nor later.
  using Done = std::function<void(std::string failure, bool for_good)>;

  virtual ~MemberHost() = default;
  /// One thing at a time. `done` is called once, on the agent's thread, never from inside.
  virtual void carry_out(const Work& work, Done done) = 0;
  /// Writes to the vnodes of the record's change wait from now on. `drained` is called when the
  /// earlier ones have ended, with how many of them nobody knows about.
  virtual void await_drain(std::function<void(std::uint64_t indeterminate)> drained) = 0;
  /// Asks a database, for a few seconds at most. `said` is called once, on the agent's thread,
  /// never from inside.
  virtual void ask_row(const RowQuestion& question, std::function<void(RowSays)> said) = 0;
  /// After each event: what is served follows from door, blocks, doubt, and whether it listens.
  /// Must not end the agent.
  virtual void follow(Member& member) = 0;
  /// What the host may ask of the service itself, until it is told of null, or of the agent's end:
  /// then nothing of it is answered any more.
  virtual void session(coordination::Session* session) = 0;
  virtual void tell(const std::string& problem) = 0;  ///< for people
};

/// A member, its session with the service, and its clock. Lives on one thread, that of its loop.
class MemberAgent {
 public:
  /// A clock that goes on while the machine sleeps.
  using Clock = std::chrono::nanoseconds (*)();

  MemberAgent(boost::asio::io_context& loop, MakeSession session, Paths paths,
              MemberOptions options, OnDisk disk, MemberHost& host, Clock clock);
  MemberAgent(const MemberAgent&) = delete;
  MemberAgent& operator=(const MemberAgent&) = delete;

  void start();
  /// Nothing is served any more. `Member::has_left` says when it has left the fleet.
  void leave();
  /// The host has something to say to `follow`.
  void wake() { pump(); }
  [[nodiscard]] const Member& member() const { return member_; }
  [[nodiscard]] std::uint64_t sessions_expired() const { return keeper_.expired(); }

 private:
  void session_began(coordination::Session& session);
  void session_ended();
  void connection(bool there);
  /// Takes what the member asks for, until it asks for nothing.
  void pump();
  void await_drain();
  void ask_row(std::chrono::nanoseconds now);
  void arm(std::chrono::nanoseconds now);
  void tell(const std::string& problem);
  template <typename Tell>
  void answered(Tell tell);

  Paths paths_;
  std::string id_, incarnation_;
  MemberHost& host_;
  Clock clock_;
  Member member_;
  std::unique_ptr<MemberRequests> requests_;  // of the session there is
  SessionKeeper keeper_;                      // ends before what it calls
  bool asking_ = false, holds_ = false;
  std::string told_;          // the problem that was told last; empty: it is over
  std::uint64_t drains_ = 0;  // waits that have begun: the answers of older ones don't count
  boost::asio::steady_timer timer_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace fleet
