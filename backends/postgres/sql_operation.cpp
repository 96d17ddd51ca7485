// sql: one transaction; ping.
#include "backends/postgres/operations.hpp"
#include "backends/postgres/sql_value.hpp"

namespace backends::postgres {
namespace {

using objects::JsArray;
using objects::JsValue;

const Statement kPing{"ping", "SELECT name FROM buckets_config LIMIT 1"};

/// The milliseconds that each statement may take; 0: any.
std::uint64_t timeout_of(const JsValue& options) {
  const JsValue* timeout = options.get("timeout");
  const double* number = timeout == nullptr ? nullptr : timeout->number();
  return number == nullptr || *number < 1 || *number > 2e9 ? 0 : static_cast<std::uint64_t>(*number);
}

std::string without_line_feeds(std::string text) {
  std::erase(text, '\n');
  return text;
}

}  // namespace

Values sql(Work& work, const JsArray& arguments) {
  const std::string& statement = *arguments[0].string();
  const JsArray& values = *arguments[1].array();
  const std::uint64_t timeout = timeout_of(arguments[2]);
  Transaction transaction = co_await Transaction::begin(work);
  Connection& connection = *transaction;
  if (timeout > 0) rows_of(co_await connection.run(once("SET LOCAL statement_timeout = " + std::to_string(timeout)), Parameters()));
  const auto take = [&work](const Rows& rows) {
    bool full = false;
    for (int i = 0; i < rows.count(); ++i) full = work.emit(objects::stringify(sql_row(rows, i)));
    return full;
  };
  *work.streaming = &connection;
  QueryResult result;
  if (values.empty()) {
    result = co_await connection.run_script(statement, take);  // may be several, with a BEGIN of their own
  } else {
    Parameters parameters;
    for (const JsValue& value : values) parameters.push_back(sql_parameter(value));
    result = co_await connection.stream(once(statement), std::move(parameters), take);
  }
  *work.streaming = nullptr;
  if (!result.error) {
    co_await transaction.commit();
    co_return JsArray();
  }
  if (!result.error->lost()) co_await transaction.roll_back();
  if (result.error->sqlstate == "57014" && timeout > 0) {
    objects::Error late;
    late.name = "QueryTimeoutError";
    late.message = "query timeout: " + without_line_feeds(statement);
    throw RpcError{late};
  }
  throw StatementFailed{*result.error};
}

Values ping(Work& work, const JsArray& arguments) {
  const JsValue* deep = arguments[0].get("deep");
  if (deep != nullptr && deep->truthy())
    rows_of(co_await point(work).run(kPing, Parameters()));
  co_return JsArray();
}

}  // namespace backends::postgres
