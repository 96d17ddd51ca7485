#pragma once

#include <coroutine>
#include <cstdint>
#include <functional>

#include "backends/postgres/sql/plans.hpp"
#include "backends/postgres/wire/connection.hpp"
#include "backends/postgres/wire/task.hpp"

namespace backends::postgres {

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
