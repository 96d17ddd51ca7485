#include "backends/postgres/operations.hpp"

namespace backends::postgres {

Connection& point(Work& work) {
  Connection* connection = work.pool.point(work.affinity);
  if (connection == nullptr) throw NoConnection{work.pool.problem()};
  return *connection;
}

Task<Pool::Lease> claim(Work& work) {
  Pool::Lease lease = co_await work.pool.exclusive();
  if (!lease) throw NoConnection{work.pool.problem()};
  co_return std::move(lease);
}

Task<Transaction> Transaction::begin(Work& work, const char* isolation) {
  Transaction transaction(co_await claim(work));
  rows_of(co_await (*transaction).run(once(std::string("BEGIN ISOLATION LEVEL ") + isolation), Parameters()));
  co_return std::move(transaction);
}

/// Nobody knows what the server makes of it: its connection is of no more use.
Transaction::~Transaction() {
  if (open_) lease_->close("a transaction was given up");
}

Task<bool> Transaction::commit() {
  open_ = false;
  const QueryResult result = co_await lease_->run(once("COMMIT"), Parameters());
  if (result.error) {
    lease_->close("a COMMIT failed");
    throw StatementFailed{*result.error};
  }
  co_return true;
}

Task<bool> Transaction::roll_back() {
  open_ = false;
  const QueryResult result = co_await lease_->run(once("ROLLBACK"), Parameters());
  if (result.error) lease_->close("a ROLLBACK failed");
  co_return true;
}

}  // namespace backends::postgres
