#pragma once

#include <functional>
#include <string>
#include <vector>

#include "coordination/session.hpp"
#include "fleet/protocol/requests.hpp"
#include "fleet/service/paths.hpp"
#include "fleet/service/watched_nodes.hpp"

namespace fleet {

/// What a member asks of the service, done by a session. Lives on the session's thread, one for
/// each session, and ends before it.
class MemberRequests {
 public:
  struct Told {
    std::function<void(coordination::Outcome, std::size_t failed)> outcome;
    std::function<void(Seen)> seen;
    /// What was read makes no sense, though it was there: for people. `outcome` says that nothing
    /// is known.
    std::function<void(std::string)> problem;
    /// Of such: it is of a version of the protocol that this program does not speak.
    std::function<void()> newer;
    /// State or entry may be other ones than they were when they were read last.
    std::function<void()> changed;
  };

  MemberRequests(coordination::Session& session, Paths paths, std::string id,
                 std::string incarnation, Told told);

  /// One at a time: until `outcome` or `seen` was told, which is never from inside of this.
  void ask(const Request& request);

 private:
  void touch(const ask::Touch& touch);
  void show(const ask::Touch& touch, const coordination::Node& live, bool there);
  void look();
  void looked(const WatchedNodes::Nodes& nodes);
  void acknowledge(const std::string& text);
  void transact(std::vector<coordination::Write> writes);

  coordination::Session& session_;
  Paths paths_;
  std::string id_, incarnation_;
  Told told_;
  WatchedNodes nodes_;
};

}  // namespace fleet
