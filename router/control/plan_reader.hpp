#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

namespace router {

/// What a plan of resharding has come to, as its row in a shard's database says
/// (docs/resharding.md).
enum class PlanStanding : std::uint8_t {
  unknown,     ///< the database does not answer
  none,        ///< it has no such plan
  open,        ///< writes go where they always went
  fenced,      ///< neither: the coordinator is about to decide
  committed,   ///< decided, but a failover might take it back
  decided,     ///< with the ring that was asked about
  other_ring,  ///< decided, with another one
  aborted,
};

/// Which row: of a plan by its number and its coordinator's token; and the digest of the ring that
/// is pending here.
struct PlanQuestion {
  std::string url, plan, token, digest;
};

/// A plan's row, as far as it was read.
struct PlanRow {
  bool answered = false;  ///< by the database; else nothing is known
  bool found = false;
  std::string state;
  bool decided = false;
  std::optional<std::string> ring_digest;  ///< nullopt: not bound to any ring
};

/// Pure. A router acts on a row only where that is about the ring that it holds: the plan may have
/// been backed out and bound to another one since. An aborted plan that is bound to none has taken
/// all of its rings back.
PlanStanding standing_of(const PlanRow& row, const std::string& digest);

/// The plan's row in the source's database. Waits for a few seconds at most; never throws.
PlanStanding read_plan_standing(const PlanQuestion& source);

/// Asks databases on a thread of its own, one question after the other, since they may not answer
/// for seconds. Answers come on that thread; none comes after the destructor, which waits for the
/// one that is being asked.
class PlanReader {
 public:
  PlanReader();
  ~PlanReader();
  PlanReader(const PlanReader&) = delete;
  PlanReader& operator=(const PlanReader&) = delete;

  void ask(PlanQuestion source, std::function<void(PlanStanding)> done);
  /// Whether the target's row lets clients write (its guard is open).
  void ask_open(PlanQuestion target, std::function<void(bool)> done);

 private:
  boost::asio::io_context loop_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> keep_running_;
  std::thread thread_;
};

}  // namespace router
