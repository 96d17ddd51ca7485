// options.timeout: the server ends a statement that takes longer, and what it ended it has not
// done.
#include "backends/postgres/operations/operations.hpp"
#include "objects/errors.hpp"

namespace backends::postgres {
namespace {

/// Holds until the end of the transaction, which may be these statements alone. The server counts
/// from each statement's beginning; COMMIT is exempt.
const Statement kLimit{"statement_limit", "SELECT set_config('statement_timeout', $1::text, true)"};

Step limit_step(std::uint32_t limit_ms) {
  return Step(kLimit, parameters_of(std::to_string(limit_ms)));
}

}  // namespace

Task<QueryResult> run_limited(Work& work, Connection& connection, const Step& step) {
  connection.tag(work.affinity);
  if (!work.statement_limit_ms)
    co_return co_await connection.run(step.statement(), step.parameters);
  std::vector<Step> steps;
  steps.push_back(limit_step(*work.statement_limit_ms));
  steps.push_back(step);
  std::vector<QueryResult> results = co_await connection.run_all(std::move(steps));
  if (results[0].error) co_return std::move(results[0]);
  if (results[1].error && timed_out(*results[1].error, work.limit()))
    throw RpcError{objects::errors::query_timeout(step.statement().sql)};
  co_return std::move(results[1]);
}

Task<QueryResult> read_limited(Work& work, Connection& connection, const Step& step) {
  require_served(work);
  if (!work.statement_limit_ms) {
    connection.tag(work.affinity);
    QueryResult result = co_await connection.run_read(step.statement(), step.parameters);
    // A neighbour's failure, or that of what was to prepare it.
    if (!result.error || (!result.error->skipped() && result.error->sqlstate != "26000"))
      co_return result;
    require_served(work);
  }
  co_return co_await run_limited(work, connection, step);
}

Task<std::vector<QueryResult>> run_all_limited(Work& work, Connection& connection,
                                               std::vector<Step> steps) {
  connection.tag(work.affinity);
  if (!work.statement_limit_ms) co_return co_await connection.run_all(std::move(steps));
  steps.insert(steps.begin(), limit_step(*work.statement_limit_ms));
  std::vector<QueryResult> results = co_await connection.run_all(std::move(steps));
  drop_first(results, 1);
  co_return results;
}

}  // namespace backends::postgres
