#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "coordination/session.hpp"

namespace fleet {

/// Nodes that one session reads again and again, together: what has not changed since it was read
/// is not asked for again. A stage of a change is one node for each member to read, and one for the
/// coordinator to read of each member, instead of all that they go by.
///
/// What is told is true of one moment, that of the last node that was read: a session hears of a
/// change before it reads anything that is as new (its watches come in the order of what they tell
/// of, and before later answers). So what no watch has told of by then had not changed.
///
/// Lives on the session's thread, and ends before it.
class WatchedNodes {
 public:
  /// Those that are not there are left out.
  using Nodes = std::map<std::string, coordination::Node>;
  using Done = std::function<void(coordination::Outcome, Nodes)>;

  /// `changed`: what was read last may be another one now.
  WatchedNodes(coordination::Session& session, std::function<void()> changed);

  /// Reads them; the first one in any case, so that a connection that is gone is noticed. `done` is
  /// told once, never from inside; not where the session ends before. The outcome: `done`, or what
  /// a read has come to; `unknown`, too, where they change faster than they can be read. O(paths),
  /// and O(log all) for each.
  void read(std::vector<std::string> paths, Done done);

 private:
  struct Reading;

  void read_missing(const std::shared_ptr<Reading>& reading, std::vector<std::string> missing);
  void got(const std::shared_ptr<Reading>& reading);
  [[nodiscard]] coordination::Session::Watch watch(const std::string& path);

  coordination::Session& session_;
  std::function<void()> changed_;
  std::set<std::string> watched_;  // whose next change will be told
  /// As they were read last, of those that are watched; nullopt: there is none.
  std::map<std::string, std::optional<coordination::Node>> known_;
};

}  // namespace fleet
