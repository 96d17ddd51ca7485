#pragma once

#include <coroutine>
#include <cstdint>
#include <functional>

#include "backends/postgres/connection.hpp"
#include "backends/postgres/task.hpp"

/// What changes of buckets and plans of resharding know of each other (docs/resharding.md, changes
/// of buckets).
namespace backends::postgres {

/// An advisory lock of each database, by this number and 0: who makes a plan's rows has it
/// alone, who changes buckets shares it until the change is committed.
inline constexpr int kPlansLock = 0x6d727763;

/// States of a plan's row in which buckets may not change, as a list for SQL's IN.
inline constexpr const char* kPlansUnderWay = "('preparing', 'capturing', 'fenced', 'guarded')";

/// Where a change of buckets stands that is made in two steps. Lives on its shard's worker, with
/// its operation.
class TwoSteps {
 public:
  /// `ready`: called once, when the first step is done.
  explicit TwoSteps(std::function<void()> ready) : ready_(std::move(ready)) {}

  /// The second step may be made, or the first is taken back; once. What waits for it goes on in
  /// the call: never from inside `ready`.
  void decide(bool proceed);
  [[nodiscard]] bool decided() const { return decision_ != Decision::none; }

  /// `co_await steps`: until it is decided; whether the second step may be made.
  bool await_ready() const noexcept { return decided(); }
  void await_suspend(std::coroutine_handle<> waiting);
  [[nodiscard]] bool await_resume() const noexcept { return decision_ == Decision::proceed; }

 private:
  enum class Decision : std::uint8_t { none, proceed, take_back };
  std::function<void()> ready_;
  Decision decision_ = Decision::none;
  std::coroutine_handle<> waiting_;
};

/// In a transaction that is to change buckets: no plan is under way in this database, and none
/// begins before the transaction ends. Throws RpcError (ReadOnlyError) naming the plan.
Task<bool> require_no_plan(Connection& connection);

}  // namespace backends::postgres
