#include "backends/postgres/session.hpp"

#include <poll.h>

#include <algorithm>
#include <cctype>
#include <utility>
#include <vector>

namespace backends::postgres {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kCopyPiece = 1 << 20;
constexpr std::chrono::milliseconds kAskEach{100};
constexpr std::chrono::seconds kAskedAgain{1};

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

/// The session's settings are those that texts of values depend on. Keepalives, so that a host that
/// is gone is noticed.
Session::Session(const std::string& url, const std::string& application, int seconds) {
  const std::string limit = std::to_string(seconds), silence = std::to_string(3'000 * seconds);
  const char* keywords[] = {"fallback_application_name", "target_session_attrs",
                            "connect_timeout",           "keepalives_idle",
                            "keepalives_interval",       "keepalives_count",
                            "tcp_user_timeout",          "dbname",
                            "client_encoding",           nullptr};
  const char* values[] = {application.c_str(), "read-write", limit.c_str(), limit.c_str(), "5", "3",
                          silence.c_str(),     url.c_str(),  "UTF8",        nullptr};
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
  run_all(
      "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; SET "
      "extra_float_digits = 3; SET bytea_output = 'hex'");
  until_.reset();
}

void Session::fail(PGresult* result) {
  const Rows freed(result);
  const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char* detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
  const std::string said = one_line(PQresultErrorMessage(result));
  SessionError error(said.empty() ? one_line(PQerrorMessage(connection_.get())) : said,
                     state == nullptr ? "" : state);
  if (detail != nullptr) error.detail = detail;
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
  PQclear(last());
}

Rows Session::run(const std::string& sql, const Parameters& parameters) {
  send(sql, parameters);
  return receive();
}

void Session::send(const std::string& sql, const Parameters& parameters) {
  clear();
  std::vector<const char*> values;
  for (const auto& parameter : parameters)
    values.push_back(parameter ? parameter->c_str() : nullptr);
  sent(PQsendQueryParams(connection_.get(), sql.c_str(), static_cast<int>(values.size()), nullptr,
                         values.data(), nullptr, nullptr, 0));
}

Rows Session::receive() { return checked(last()); }

void Session::send_all(const std::string& sql) {
  clear();
  sent(PQsendQuery(connection_.get(), sql.c_str()));
}

Rows Session::run_all(const std::string& sql) {
  send_all(sql);
  return receive();
}

void Session::copy_out(const std::string& sql,
                       const std::function<void(std::string_view piece)>& sink) {
  clear();
  sent(PQsendQuery(connection_.get(), sql.c_str()));
  PGresult* result = last();
  if (PQresultStatus(result) != PGRES_COPY_OUT) fail(result);
  PQclear(result);
  try {
    char* piece = nullptr;
    for (int bytes = 0; (bytes = PQgetCopyData(connection_.get(), &piece, 1)) >= 0;) {
      const std::unique_ptr<char, void (*)(void*)> freed(piece, PQfreemem);
      if (bytes > 0)
        sink({piece, static_cast<std::size_t>(bytes)});
      else if (!wait())
        break;
    }
  } catch (...) {
    connection_.reset();  // in mid-stream: no good for anything else
    throw;
  }
  checked(last());
}

void Session::copy_in(const std::string& sql, std::string_view bytes) {
  clear();
  sent(PQsendQuery(connection_.get(), sql.c_str()));
  PGresult* result = last();
  if (PQresultStatus(result) != PGRES_COPY_IN) fail(result);
  PQclear(result);
  for (std::size_t at = 0; at < bytes.size(); at += kCopyPiece) {
    const std::string_view piece = bytes.substr(at, kCopyPiece);
    if (PQputCopyData(connection_.get(), piece.data(), static_cast<int>(piece.size())) != 1)
      break;  // its result tells why
  }
  PQputCopyEnd(connection_.get(), nullptr);
  checked(last());
}

void Session::limit_statements(std::uint64_t milliseconds) {
  run_all("SET statement_timeout = " + std::to_string(milliseconds));
}

int Session::process() const { return PQbackendPID(connection_.get()); }

}  // namespace backends::postgres
