#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <optional>
#include <string>

#include "backends/postgres/operations/operations.hpp"
#include "backends/postgres/postgres_shard.hpp"
#include "objects/js_value.hpp"

/// What the parts of PostgresShard share.
namespace backends::postgres {

/// An unlisten works, and a listen tells its own error, in any state of the database.
bool waits_for_database(Rpc rpc);

/// One RPC. Its messages wait here while its client is slow; the connection that they come from is
/// held up then, so that few do.
struct PostgresShard::Operation {
  enum class End : std::uint8_t { none, end, error, failure };

  Operation(Pool& pool, BucketCache& buckets) : work(pool, buckets) {}

  std::uint64_t number = 0;
  Rpc rpc = Rpc::ping;
  objects::JsArray arguments;
  Work work;
  ReplySink* sink = nullptr;  // null: cancelled
  Connection* streaming = nullptr;
  std::function<void()> stop;
  std::deque<std::string> data;  // payloads, in order
  End ended = End::none;
  std::string last;  // payload of an END or ERROR
  Failure failure;
  bool paused = false;
  std::chrono::steady_clock::time_point paused_since;
  bool given_up = false;
  std::optional<Waiting::iterator> place;  // in its queue: nothing of it has begun
  bool starting = true;                    // inside submit
  std::optional<TwoSteps> steps;
};

}  // namespace backends::postgres
