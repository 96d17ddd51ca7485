#include "backends/postgres/wire/session.hpp"

#include <poll.h>

#include <algorithm>
#include <cctype>
#include <utility>
#include <vector>

#include "backends/postgres/wire/identifier.hpp"
#include "backends/postgres/wire/session_settings.hpp"

namespace backends::postgres {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kAskEach{100};
constexpr std::chrono::seconds kAskedAgain{1};
constexpr std::size_t kNameBytes = 63;  ///< that a server keeps of an application's name

/// `FATAL:  28P01: password authentication failed`, whatever the language of the first word.
std::string state_in(const std::string& verbose) {
  constexpr std::size_t kState = 5;
  for (std::size_t at = 0; (at = verbose.find(":  ", at)) != std::string::npos; ++at) {
    const std::string state = verbose.substr(at + 3, kState);
    const bool like = state.size() == kState && std::all_of(state.begin(), state.end(), [](char c) {
                        return std::isdigit(static_cast<unsigned char>(c)) != 0 ||
                               std::isupper(static_cast<unsigned char>(c)) != 0;
                      });
    if (like && verbose.compare(at + 3 + kState, 2, ": ") == 0) return state;
  }
  return "";
}

/// What the server has against a login, by asking once more: libpq tells the SQLSTATE in verbose
/// texts alone, and can be told to be verbose only when it has begun. Empty: no server said no.
std::string refused_with(const char* const* keywords, const char* const* values) {
  const std::unique_ptr<PGconn, void (*)(PGconn*)> again(PQconnectStartParams(keywords, values, 1),
                                                         PQfinish);
  PQsetErrorVerbosity(again.get(), PQERRORS_VERBOSE);
  const auto until = Clock::now() + kAskedAgain;
  auto wanted = PGRES_POLLING_WRITING;
  while (PQstatus(again.get()) != CONNECTION_BAD && wanted != PGRES_POLLING_OK &&
         wanted != PGRES_POLLING_FAILED) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    pollfd socket{PQsocket(again.get()),
                  static_cast<short>(wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT), 0};
    if (left <= 0 || poll(&socket, 1, static_cast<int>(left)) <= 0) return "";
    wanted = PQconnectPoll(again.get());
  }
  if (PQconnectionNeedsPassword(again.get()) != 0) return "28P01";  // the URL has none
  return state_in(PQerrorMessage(again.get()));
}

}  // namespace

void Session::Finish::operator()(pg_conn* connection) const { PQfinish(connection); }

/// Keepalives, so that a host that is gone is noticed.
Session::Session(const std::string& url, const std::string& application, int seconds) {
  const std::string limit = std::to_string(seconds), silence = std::to_string(3'000 * seconds);
  const char* keywords[] = {"target_session_attrs",
                            "connect_timeout",
                            "keepalives_idle",
                            "keepalives_interval",
                            "keepalives_count",
                            "tcp_user_timeout",
                            "dbname",
                            "application_name",
                            "client_encoding",
                            nullptr};
  const char* values[] = {"read-write",    limit.c_str(), limit.c_str(),       "5",    "3",
                          silence.c_str(), url.c_str(),   application.c_str(), "UTF8", nullptr};
  const auto begun = Clock::now();
  connection_.reset(PQconnectdbParams(keywords, values, 1));
  if (PQstatus(connection_.get()) != CONNECTION_OK) {
    // One that has not answered in all of its time is not asked again.
    const bool silent = Clock::now() - begun >= std::chrono::seconds(seconds);
    throw SessionError(one_line(PQerrorMessage(connection_.get())),
                       silent ? "" : refused_with(keywords, values));
  }
  PQsetNoticeProcessor(
      connection_.get(), [](void*, const char*) {}, nullptr);
  until_ = Clock::now() + std::chrono::seconds(seconds);  // a server that hangs may still accept
  settle(application);
  until_.reset();
}

/// In a transaction of its own each, so that what gives every transaction another server's process
/// has its chance to show.
void Session::settle(const std::string& application) {
  std::string sql =
      "SELECT set_config(w.name, w.value, false) FROM (VALUES ('application_name', "
      "$1::text)";
  Parameters values{application};
  for (const SessionSetting& each : session_settings()) {
    sql += ", ($" + std::to_string(values.size() + 1) + ", $" + std::to_string(values.size() + 2) +
           ")";
    values.emplace_back(each.name);
    values.emplace_back(each.value);
  }
  sql +=
      ") w (name, value) WHERE EXISTS (SELECT 1 FROM pg_catalog.pg_settings s WHERE "
      "lower(s.name) = lower(w.name))";
  run(sql, values);
  sql = "SELECT pg_backend_pid(), current_setting('application_name')";
  for (const SessionSetting& each : session_settings())
    sql += ", current_setting(" + literal(each.name) + ", true)";
  const Rows kept = run(sql);
  process_ = std::stoi(kept.string(0, 0));
  const auto require = [](std::string_view name, std::string_view wanted, std::string_view found) {
    if (found != wanted)
      throw SessionError("setting " + std::string(name) + " is " + std::string(found) +
                             " after it was set to " + std::string(wanted) +
                             ": is a pooler between?",
                         kNotKeptState);
  };
  require("application_name", application.substr(0, kNameBytes), kept.text(0, 1));
  int column = 2;
  for (const SessionSetting& each : session_settings()) {
    if (!kept.null(0, column)) require(each.name, each.value, kept.text(0, column));
    ++column;
  }
}

void Session::fail(PGresult* result) {
  const Rows freed(result);
  const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char* detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
  const std::string said = one_line(PQresultErrorMessage(result));
  SessionError error(said.empty() ? one_line(PQerrorMessage(connection_.get())) : said,
                     state == nullptr ? "" : state);
  if (detail != nullptr) error.detail = detail;
  const auto field = [result](int code) {
    const char* text = PQresultErrorField(result, code);
    return std::string(text == nullptr ? "" : text);
  };
  error.constraint = field(PG_DIAG_CONSTRAINT_NAME);
  error.schema = field(PG_DIAG_SCHEMA_NAME);
  error.table = field(PG_DIAG_TABLE_NAME);
  throw SessionError(error);
}

Rows Session::checked(PGresult* result) {
  const ExecStatusType status = PQresultStatus(result);
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY)
    return Rows(result);
  fail(result);
}

void Session::sent(int accepted) {
  if (accepted != 1) throw SessionError(one_line(PQerrorMessage(connection_.get())), "");
}

/// Nobody is asked where there is something to read at once.
bool Session::wait() {
  const auto begun = Clock::now();
  const auto give_up = [this](const char* why) {
    connection_.reset();
    throw SessionError(why, "");
  };
  for (;;) {
    const auto now = Clock::now();
    auto left = until_ ? std::chrono::ceil<std::chrono::milliseconds>(*until_ - now)
                       : std::chrono::milliseconds(-1);
    if (until_ && left.count() <= 0) give_up("the server did not answer in time");
    if (asked_) left = until_ ? std::min(left, kAskEach) : kAskEach;
    pollfd socket{PQsocket(connection_.get()), POLLIN, 0};
    if (PQflush(connection_.get()) == 1) socket.events |= POLLOUT;
    if (poll(&socket, 1, static_cast<int>(left.count())) != 0 || !asked_) break;
    if (asked_(std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begun)))
      give_up("its answer is waited for no longer");
  }
  return PQconsumeInput(connection_.get()) == 1;
}

PGresult* Session::next() {
  while (PQisBusy(connection_.get()) != 0 && wait()) {
  }
  return PQgetResult(connection_.get());
}

PGresult* Session::last() {
  PGresult* last = nullptr;
  while (PGresult* result = next()) {
    PQclear(last);
    last = result;
    const ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_COPY_OUT || status == PGRES_COPY_IN) break;  // its rows are not results
  }
  return last;
}

void Session::clear() {
  if (connection_ == nullptr) throw SessionError("the connection is closed", "");
  if (together_ > 0) try {
      receive_each();
    } catch (const SessionError& error) {
      if (error.sqlstate.empty()) throw;
    }
  PQclear(last());
}

Rows Session::run(const std::string& sql, const Parameters& parameters) {
  send(sql, parameters);
  return receive();
}

void Session::prepare(const Call& call) {
  clear();
  if (prepared_.contains(call.name)) return;
  checked(PQprepare(connection_.get(), call.name.c_str(), call.sql.c_str(), 0, nullptr));
  prepared_.insert(call.name);
}

void Session::keep_plans(bool kept) {
  constexpr int kFirstThatIsTold = 120000;
  if (version() < kFirstThatIsTold) return;
  run_all(kept ? "SET plan_cache_mode = force_generic_plan" : "RESET plan_cache_mode");
}

int Session::enqueue(const Call& call) {
  std::vector<const char*> values;
  for (const auto& each : call.values) values.push_back(each ? each->c_str() : nullptr);
  const int count = static_cast<int>(values.size());
  return prepared_.contains(call.name)
             ? PQsendQueryPrepared(connection_.get(), call.name.c_str(), count, values.data(),
                                   nullptr, nullptr, 0)
             : PQsendQueryParams(connection_.get(), call.sql.c_str(), count, nullptr, values.data(),
                                 nullptr, nullptr, 0);
}

void Session::send(const Call& call) {
  clear();
  sent(enqueue(call));
}

void Session::send(const std::string& sql, const Parameters& parameters) {
  send(Call{sql, parameters});
}

Rows Session::receive() {
  return together_ > 0 ? std::move(receive_each().back()) : checked(last());
}

void Session::send_together(const std::vector<Call>& calls) {
  clear();
  sent(PQenterPipelineMode(connection_.get()));
  for (const Call& call : calls) sent(enqueue(call));
  sent(PQpipelineSync(connection_.get()));
  together_ = calls.size();
}

/// A null result stands after each statement's, and one for the whole comes last.
std::vector<Rows> Session::receive_each() {
  std::vector<Rows> all;
  std::optional<SessionError> failure;
  for (; together_ > 0; --together_) {
    all.emplace_back();
    while (PGresult* result = next()) {
      if (failure) {
        PQclear(result);
        continue;
      }
      try {
        all.back() = checked(result);
      } catch (const SessionError& error) {
        failure = error;
      }
    }
    if (PQstatus(connection_.get()) == CONNECTION_BAD) break;
  }
  together_ = 0;
  if (PQstatus(connection_.get()) != CONNECTION_BAD) {
    PQclear(next());
    PQexitPipelineMode(connection_.get());
  }
  if (failure) throw SessionError(*failure);
  return all;
}

Rows Session::run_together(const std::vector<Call>& calls) {
  return std::move(run_each(calls).back());
}

std::vector<Rows> Session::run_each(const std::vector<Call>& calls) {
  send_together(calls);
  return receive_each();
}

void Session::send_all(const std::string& sql) {
  clear();
  sent(PQsendQuery(connection_.get(), sql.c_str()));
}

Rows Session::run_all(const std::string& sql) {
  send_all(sql);
  return receive();
}

int Session::version() const { return PQserverVersion(connection_.get()); }

void Session::limit_statements(std::uint64_t milliseconds) {
  run_all("SET statement_timeout = " + std::to_string(milliseconds));
}

}  // namespace backends::postgres
