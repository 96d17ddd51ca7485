#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include <boost/asio/io_context.hpp>

#include "coordination/session.hpp"
#include "reshard/dump_lock.hpp"
#include "reshard/plan.hpp"

namespace reshard {

/// Takes the dump lock, and gives it back, over a session with the service that has its node. Each
/// call waits for its answers, and runs the loop meanwhile, on which nothing else lives. Lives on
/// one thread.
///
/// A write of which nobody knows whether it was done is looked at again, after another write: what
/// is read after that is as new. It can't be done later than that, and take another's node away:
/// requests of one session are done in their order, ZooKeeper refuses what comes late from a
/// session that has ended or has another connection, and the session is kept while it lives.
///
/// Calls throw Waiting where the service has not answered within `limit`; what was asked may be
/// done. They throw Stuck where it refuses: the credentials, or the path.
class DumpLock {
 public:
  using MakeSession = std::function<std::unique_ptr<coordination::Session>()>;

  /// `make`: sessions on `loop`, when they are needed. `service`: its name for people.
  DumpLock(boost::asio::io_context& loop, LockClaim mine, MakeSession make, std::string service);

  /// Others that have it; nullopt: it is free for this claim, or this claim's. Changes nothing.
  std::optional<LockedByOthers> look(std::chrono::milliseconds limit);
  /// Others that have it; nullopt: it is this claim's now. `writes` is called right before a write.
  std::optional<LockedByOthers> take(std::chrono::milliseconds limit,
                                     const std::function<void()>& writes);
  /// False: it was not this claim's.
  bool give_back(std::chrono::milliseconds limit);

 private:
  using Clock = std::chrono::steady_clock;

  void wait(const std::function<bool()>& there, Clock::time_point until);
  void connect(Clock::time_point until);
  std::optional<coordination::Node> read(Clock::time_point until);
  coordination::Outcome write(coordination::Write write, Clock::time_point until);
  void require(coordination::Outcome outcome) const;
  void require_readable(coordination::Outcome outcome) const;
  void require_time(Clock::time_point until) const;

  boost::asio::io_context& loop_;
  LockClaim mine_;
  const MakeSession make_;
  const std::string service_;
  std::unique_ptr<coordination::Session> session_;
  bool current_ =
      false;  ///< the session has written since it began, and since a write's lost answer
};

/// Of a plan that has one, over ZooKeeper: no session is made before the first call. Throws Stuck
/// where the credentials can't be read.
std::unique_ptr<DumpLock> dump_lock_of(const Plan& plan, boost::asio::io_context& loop);

/// What a coordinator knows of its plan's lock, beside the journal.
struct SiteLockLook {
  boost::asio::io_context loop;
  std::unique_ptr<DumpLock> node;  ///< while it is waited for
  std::optional<std::chrono::steady_clock::time_point> waits_since, looked_at;
  bool seen = false;         ///< by this coordinator, to be the plan's
  bool dumps_ended = false;  ///< those that had begun before the plan had it
  bool alarmed = false;      ///< it is old, or another's is
};

}  // namespace reshard
