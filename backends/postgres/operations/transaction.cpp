#include <algorithm>

#include "backends/postgres/operations/operations.hpp"

namespace backends::postgres {

Connection& point(Work& work) {
  Connection* connection = work.pool.point(work.affinity);
  if (connection == nullptr) throw NoConnection{work.pool.problem()};
  return *connection;
}

void drop_first(std::vector<QueryResult>& results, std::size_t count) {
  const auto own = results.begin() + static_cast<std::ptrdiff_t>(count);
  const auto failed = std::find_if(
      results.begin(), own, [](const QueryResult& result) { return result.error.has_value(); });
  if (failed != own)
    for (auto each = own; each != results.end(); ++each) each->error = failed->error;
  results.erase(results.begin(), own);
}

Task<Pool::Lease> claim(Work& work, bool stream) {
  work.claims = true;
  Pool::Lease lease = co_await work.pool.exclusive(stream, work.given_up);
  work.claims = false;
  if (work.given_up != nullptr && *work.given_up) throw NoConnection{"it was given up"};
  if (!lease) throw NoConnection{work.pool.problem()};
  co_return std::move(lease);
}

Task<Transaction> Transaction::begin(Work& work, bool stream) {
  Transaction transaction(co_await claim(work, stream));
  std::string limit;
  if (work.statement_limit_ms)
    limit = "; SET LOCAL statement_timeout = " + std::to_string(*work.statement_limit_ms);
  const QueryResult begun =
      co_await (*transaction).run_script("BEGIN ISOLATION LEVEL READ COMMITTED" + limit, nullptr);
  if (begun.error) throw StatementFailed{*begun.error};
  co_return std::move(transaction);
}

Task<Transaction> Transaction::begin_with(Work& work, std::vector<Step> steps,
                                          std::vector<QueryResult>& results) {
  Transaction transaction(co_await claim(work, false));
  std::string settings = "SELECT set_config('enable_seqscan', 'off', true)";
  // Else all that can't do without one would be compiled (`Connection::compile_nothing`).
  if ((*transaction).version() >= 110000) settings += ", set_config('jit', 'off', true)";
  if (work.statement_limit_ms)
    settings += ", set_config('statement_timeout', '" + std::to_string(*work.statement_limit_ms) +
                "', true)";
  steps.insert(steps.begin(), Step(once(std::move(settings)), Parameters()));
  steps.insert(steps.begin(), Step(once("BEGIN ISOLATION LEVEL READ COMMITTED"), Parameters()));
  results = co_await (*transaction).run_all(std::move(steps));
  drop_first(results, 2);
  co_return std::move(transaction);
}

/// Nobody knows what the server makes of it: its connection is of no more use.
Transaction::~Transaction() {
  if (open_) lease_->close("a transaction was given up");
}

/// A session that is ended may be ended after its COMMIT: between that and the next message the
/// server looks whether it has to go. Where it has said "COMMIT", all is done, whatever comes then;
/// where it was ended and has not said it, nobody knows.
Task<bool> Transaction::commit() {
  open_ = false;
  QueryResult result = co_await lease_->run(once("COMMIT"), Parameters());
  if (!result.error) co_return true;
  lease_->close("a COMMIT failed");
  if (result.committed) co_return true;
  if (ends_session(*result.error)) result.error->sqlstate.clear();
  throw StatementFailed{*std::move(result.error)};
}

Task<bool> Transaction::roll_back() {
  open_ = false;
  const QueryResult result = co_await lease_->run(once("ROLLBACK"), Parameters());
  if (result.error) lease_->close("a ROLLBACK failed");
  co_return true;
}

}  // namespace backends::postgres
