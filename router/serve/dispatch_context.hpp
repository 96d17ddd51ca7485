#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "budget/budget.hpp"
#include "json/document.hpp"
#include "router/plan/edits.hpp"
#include "router/plan/plan.hpp"
#include "router/serve/active_ring.hpp"
#include "router/serve/bounds.hpp"
#include "router/serve/deadline_wheel.hpp"
#include "router/serve/heat.hpp"
#include "router/serve/held_writes.hpp"
#include "router/serve/reads_under_way.hpp"
#include "router/serve/shard_turns.hpp"
#include "router/serve/write_leases.hpp"

namespace router {

class SingleExchange;
class WorkerCells;

/// Limits and default deadlines; all come from the configuration.
struct DispatchLimits {
  std::chrono::milliseconds object_deadline{30'000};
  std::chrono::milliseconds find_deadline{60'000};
  std::chrono::milliseconds long_running_deadline{3'600'000};
  std::chrono::milliseconds stream_idle{60'000};

  bool operator==(const DispatchLimits&) const = default;
};

/// Where the client asks for none, and a method has one; the others' is the longest.
inline std::chrono::milliseconds usual_deadline(const Method& method,
                                                const DispatchLimits& limits) {
  switch (method.deadline) {
    case DeadlineClass::object: return limits.object_deadline;
    case DeadlineClass::find: return limits.find_deadline;
    case DeadlineClass::long_running:
    case DeadlineClass::none: break;
  }
  return limits.long_running_deadline;
}

/// What the exchanges of one worker share. Lives on that worker.
struct DispatchContext {
  std::shared_ptr<Bounds> bounds;  ///< the process's
  budget::Account memory;          ///< what requests, answers and sessions draw on
  DispatchLimits limits;
  DeadlineWheel* wheel = nullptr;
  WorkerCells* cells = nullptr;
  ActiveRingPointer ring;  ///< today's
  json::Document request;  ///< the request being planned
  json::Document reply;    ///< the reply being edited
  PlanScratch plan_scratch;
  Edits reply_edits;
  HeldWrites held;
  Turns turns;
  WriteLeases leases;
  ReadsUnderWay reads;
  std::optional<DeadlineWheel::Clock::time_point>
      batch_time;                  ///< when the requests being taken had arrived
  std::shared_ptr<Heat> heat;      ///< null: nothing is counted
  std::uint64_t random_state = 1;  ///< for choosing among healthy shards

  /// Exchanges waiting to be sent once more; the worker runs them at the end of the turn.
  std::vector<SingleExchange*> retries;
  /// Finished exchanges, to be used again; after a burst fewer with each tick.
  std::vector<std::unique_ptr<SingleExchange>> spare;
  std::size_t live_exchanges = 0;
  /// Gives back what a burst has left. Not from inside a request.
  void shrink();
  /// Called when `retries` has its first entry of a turn.
  void (*schedule_retries)(void* worker) = nullptr;
  void* worker = nullptr;

  explicit DispatchContext(std::shared_ptr<Bounds> of_process = std::make_shared<Bounds>());
  ~DispatchContext();
};

/// Microseconds since the epoch, for `m.uts`.
std::int64_t now_uts();

}  // namespace router
