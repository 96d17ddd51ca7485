#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "coordination/session.hpp"
#include "fleet/protocol/coordinator.hpp"
#include "fleet/service/paths.hpp"
#include "fleet/service/watched_nodes.hpp"

namespace fleet {

/// What a coordinator asks of the service, done by a session. Lives on the session's thread, one
/// for each session, and ends before it.
class CoordinatorRequests {
 public:
  struct Told {
    std::function<void(coordination::Outcome)> outcome;
    std::function<void(Seen)> seen;
    std::function<void(Roster)> roster;
    std::function<void(std::map<std::string, Heard>)> heard;
    /// What was read makes no sense, though it was there: for people. `outcome` says that nothing
    /// is known.
    std::function<void(std::string)> problem;
    /// What was read last may have changed.
    std::function<void()> changed;
  };

  CoordinatorRequests(coordination::Session& session, Paths paths, Told told);

  /// One at a time: until something of Told's first four was told, which is never from inside of
  /// this.
  void ask(const CoordinatorRequest& request);

 private:
  using Read = std::function<void(const WatchedNodes::Nodes&)>;

  void read(std::vector<std::string> paths, Read done);
  void look();
  void read_roster();
  void read_answers(const std::vector<std::string>& ids);
  void write(const ask::Write& write);
  /// Tells what `make` makes of what was read, or why it makes nothing.
  template <typename Made, typename Make>
  void make(const std::function<void(Made)>& tell, Make make);

  coordination::Session& session_;
  Paths paths_;
  Told told_;
  WatchedNodes nodes_;
};

}  // namespace fleet
