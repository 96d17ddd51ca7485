#pragma once

#include <functional>
#include <string>

#include "router/control/plan_standing.hpp"
#include "router/loop/loop_thread.hpp"

namespace router {

/// Which row: of a plan by its number and its coordinator's token; and the digest of the ring that
/// is pending here.
struct PlanQuestion {
  std::string url, plan, token, digest;
};

/// The plan's row in the source's database. Waits for a few seconds at most; never throws.
PlanStanding read_plan_standing(const PlanQuestion& source);

/// Asks databases on a thread of its own, one question after the other, since they may not answer
/// for seconds. Answers come on that thread; none comes after the destructor, which waits for the
/// one that is being asked.
class PlanReader {
 public:
  explicit PlanReader(Log& log);

  void ask(PlanQuestion source, std::function<void(PlanStanding)> done);
  /// Whether the target's row lets clients write (its guard is open).
  void ask_open(PlanQuestion target, std::function<void(bool)> done);

 private:
  LoopThread thread_;
};

}  // namespace router
