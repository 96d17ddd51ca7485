#include "backends/postgres/operations/plan_guard.hpp"

#include <string>

#include "backends/postgres/sql/failure.hpp"
#include "objects/errors.hpp"

namespace backends::postgres {

void TwoSteps::decide(bool proceed) {
  if (decided()) return;
  decision_ = proceed ? Decision::proceed : Decision::take_back;
  if (const auto waiting = std::exchange(waiting_, nullptr)) waiting.resume();
}

void TwoSteps::await_suspend(std::coroutine_handle<> waiting) {
  waiting_ = waiting;
  ready_();
}

/// The lock first: a statement after it sees each plan that was made before.
Task<bool> require_no_plan(Connection& connection) {
  static const Statement kLock =
      once("SELECT pg_advisory_xact_lock_shared(" + std::to_string(kPlansLock) + ", 0)");
  static const Statement kAnyPlans =
      once("SELECT 1 WHERE to_regclass('moray_router.reshard_plan') IS NOT NULL");
  static const Statement kPlans =
      once(std::string("SELECT plan, from_pnode, to_pnode FROM moray_router.reshard_plan WHERE "
                       "state IN ") +
           kPlansUnderWay + " ORDER BY plan LIMIT 1");
  rows_of(co_await connection.run(kLock, Parameters()));
  const Rows known = rows_of(co_await connection.run(kAnyPlans, Parameters()));
  if (known.count() == 0) co_return true;
  const Rows plans = rows_of(co_await connection.run(kPlans, Parameters()));
  if (plans.count() == 0) co_return true;
  throw RpcError{objects::errors::read_only("moray-router: buckets can't be changed while plan " +
                                            std::string(plans.text(0, 0)) + " moves vnodes from " +
                                            std::string(plans.text(0, 1)) + " to " +
                                            std::string(plans.text(0, 2)))};
}

}  // namespace backends::postgres
