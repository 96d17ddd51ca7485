#include "backends/postgres/sql/failure.hpp"

#include "backends/postgres/sql/bucket_table.hpp"
#include "objects/errors.hpp"

namespace backends::postgres {

std::optional<TakenValue> taken_value(const std::string& detail) {
  // A column's name may have brackets of its own (an expression's), a value anything.
  const std::size_t begin = detail.find('('), middle = detail.find(")=(");
  const std::size_t end = detail.rfind(')');
  if (begin == std::string::npos || middle == std::string::npos || end < middle + 3)
    return std::nullopt;
  return TakenValue{detail.substr(begin + 1, middle - begin - 1),
                    detail.substr(middle + 3, end - middle - 3)};
}

Rows rows_of(QueryResult result) {
  if (result.error) throw StatementFailed{*std::move(result.error)};
  return std::move(result.rows);
}

objects::Error error_of(const QueryError& error, std::chrono::milliseconds limit) {
  if (error.sqlstate == "23505") {
    const auto taken = taken_value(error.detail);
    return taken ? objects::errors::unique_attribute(taken->column, taken->value)
                 : objects::errors::database(error.message);
  }
  if (timed_out(error, limit)) return objects::errors::query_timeout(error.message);
  if (error.sqlstate == "MR001")
    return objects::errors::read_only(error.message);  // a plan's fence (docs/resharding.md)
  if (error.sqlstate == "42601" || error.sqlstate == "42701")
    return objects::errors::invalid_sql(error.message);
  if (ends_session(error)) {
    objects::Error lost;
    lost.name = "VError";
    lost.message = "Postgres client failed: " + error.message;
    return lost;
  }
  return objects::errors::database(error.message);
}

bool ends_session(const QueryError& error) { return error.sqlstate.starts_with("57P"); }

bool timed_out(const QueryError& error, std::chrono::milliseconds limit) {
  if (error.sqlstate != "57014") return false;
  if (error.message.find("statement timeout") != std::string::npos) return true;
  if (error.message.find("user request") != std::string::npos) return false;
  return limit.count() > 0 && error.took >= limit;
}

bool read_only_server(const QueryError& error) { return error.sqlstate == "25006"; }

bool reads_anew(const QueryError& error, int attempts) {
  constexpr int kAttemptsMost = 10;
  const bool unprepared = error.sqlstate == "26000";
  if (error.sqlstate == kStaleBucket || unprepared) return attempts < kAttemptsMost;
  return attempts == 1 && schema_changed(error);
}

bool schema_changed(const QueryError& error) {
  return error.sqlstate == "42703" || error.sqlstate == "42P01" || error.sqlstate == "42702" ||
         error.sqlstate == "0A000" || error.sqlstate == "26000" || error.sqlstate == kStaleBucket;
}

}  // namespace backends::postgres
