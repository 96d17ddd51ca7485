#include "backends/postgres/session.hpp"

#include <vector>

namespace backends::postgres {

void Session::Finish::operator()(pg_conn* connection) const { PQfinish(connection); }

/// The session's settings are those that texts of values depend on.
Session::Session(const std::string& url, const std::string& application) {
  const char* keywords[] = {"fallback_application_name", "target_session_attrs", "connect_timeout", "dbname", "client_encoding", nullptr};
  const char* values[] = {application.c_str(), "read-write", "10", url.c_str(), "UTF8", nullptr};
  connection_.reset(PQconnectdbParams(keywords, values, 1));
  if (PQstatus(connection_.get()) != CONNECTION_OK) throw SessionError(one_line(PQerrorMessage(connection_.get())), "");
  PQsetNoticeProcessor(connection_.get(), [](void*, const char*) {}, nullptr);
  run("SET TimeZone = 'UTC'");
}

Rows Session::run(const std::string& sql, const Parameters& parameters) {
  std::vector<const char*> values;
  for (const auto& parameter : parameters) values.push_back(parameter ? parameter->c_str() : nullptr);
  PGresult* result =
      PQexecParams(connection_.get(), sql.c_str(), static_cast<int>(values.size()), nullptr, values.data(), nullptr, nullptr, 0);
  Rows rows(result);
  const ExecStatusType status = PQresultStatus(result);
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) return rows;
  const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  throw SessionError(one_line(PQresultErrorMessage(result)), state == nullptr ? "" : state);
}

}  // namespace backends::postgres
