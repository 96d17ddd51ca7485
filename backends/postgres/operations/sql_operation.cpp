// sql: one transaction; ping.
#include "backends/postgres/operations/operations.hpp"
#include "backends/postgres/sql/sql_value.hpp"
#include "objects/errors.hpp"

namespace backends::postgres {
namespace {

using objects::JsArray;
using objects::JsValue;

const Statement kPing = once("SELECT name FROM buckets_config LIMIT 1");

/// The next one who gets it must not find what this client has set, made, locked or listens to.
Task<bool> clean_up(Connection& connection) {
  if (connection.state() != Connection::State::up) co_return false;
  QueryResult result = co_await connection.discard_all();
  if (!result.error) result = co_await connection.run(connection.settings(), Parameters());
  if (result.error) connection.close("a session could not be cleaned up");
  co_return !result.error;
}

}  // namespace

Values sql(Work& work, const JsArray& arguments) {
  const std::string& statement = *arguments[0].string();
  const JsArray& values = *arguments[1].array();
  Transaction transaction = co_await Transaction::begin(work, true);
  Connection& connection = *transaction;
  const auto take = [&work](const Rows& rows) {
    bool full = false;
    for (int i = 0; i < rows.count(); ++i) full = work.emit(objects::stringify(sql_row(rows, i)));
    return full;
  };
  *work.streaming = &connection;
  QueryResult result;
  if (values.empty()) {
    result = co_await connection.run_script(statement,
                                            take);  // may be several, with a BEGIN of their own
  } else {
    Parameters parameters;
    for (const JsValue& value : values) parameters.push_back(sql_parameter(value));
    result = co_await connection.stream(once(statement), std::move(parameters), take);
  }
  *work.streaming = nullptr;
  if (!result.error) {
    co_await transaction.commit();
    co_await clean_up(connection);
    co_return JsArray();
  }
  if (!result.error->lost()) {
    co_await transaction.roll_back();
    co_await clean_up(connection);
  }
  if (timed_out(*result.error, work.limit()))
    throw RpcError{objects::errors::query_timeout(statement)};
  throw StatementFailed{*result.error};
}

Values ping(Work& work, const JsArray& arguments) {
  const JsValue* deep = arguments[0].get("deep");
  if (deep != nullptr && deep->truthy())
    rows_of(co_await run_limited(work, point(work), Step(kPing, Parameters())));
  co_return JsArray();
}

}  // namespace backends::postgres
