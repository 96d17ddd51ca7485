// What is asked of a server, and what it answers.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>

#include <boost/asio/post.hpp>

#include "backends/postgres/wire/connection.hpp"

namespace backends::postgres {
namespace {

std::string field(const PGresult* result, int code) {
  const char* text = PQresultErrorField(result, code);
  return text == nullptr ? "" : text;
}

QueryError skipped() { return {"25P02", "an earlier statement failed", ""}; }

QueryError error_of_result(const PGresult* result) {
  QueryError error{field(result, PG_DIAG_SQLSTATE), field(result, PG_DIAG_MESSAGE_PRIMARY),
                   field(result, PG_DIAG_MESSAGE_DETAIL)};
  if (error.lost() && error.message.empty()) error.message = one_line(PQresultErrorMessage(result));
  return error;
}

std::chrono::milliseconds since(std::chrono::steady_clock::time_point sent) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() -
                                                               sent);
}

/// What the server would say of it, or could not: a text ends at a zero byte on its way there, and
/// the number of values has 16 bits.
std::optional<QueryError> unsendable(const std::string& sql, const Parameters& parameters) {
  constexpr std::size_t kParametersMost = 65'535;
  const auto cut = [](const std::string& text) { return text.find('\0') != std::string::npos; };
  if (cut(sql) || std::any_of(parameters.begin(), parameters.end(),
                              [&](const auto& each) { return each && cut(*each); }))
    return QueryError{"22021", "invalid byte sequence for encoding \"UTF8\": 0x00", ""};
  if (parameters.size() > kParametersMost)
    return QueryError{"54023",
                      "a statement of " + std::to_string(parameters.size()) +
                          " values: 65,535 is the most that PostgreSQL takes",
                      ""};
  return std::nullopt;
}

std::vector<const char*> pointers_to(const Parameters& parameters) {
  std::vector<const char*> values;
  values.reserve(parameters.size());
  for (const auto& parameter : parameters)
    values.push_back(parameter ? parameter->c_str() : nullptr);
  return values;
}

}  // namespace

std::string one_line(const char* text) {
  std::string message = text == nullptr ? "" : text;
  while (!message.empty() && (message.back() == '\n' || message.back() == ' ')) message.pop_back();
  for (char& c : message)
    if (c == '\n') c = ' ';
  return message;
}

void Connection::take_results() {
  const std::weak_ptr<bool> alive = alive_;
  bool nothing = false;  // a lost pipeline says it for ever
  while (!alive.expired() && state_ == State::up && !queue_.empty() && !held_ &&
         PQisBusy(connection_) == 0) {
    PGresult* result = PQgetResult(connection_);
    if (result == nullptr && (nothing || PQstatus(connection_) == CONNECTION_BAD)) break;
    nothing = result == nullptr;
    if (result != nullptr) {
      take(result);
    } else if (queue_.front()->many) {
      end_of_command();
    } else if (queue_.front()->sync == Pending::Sync::shared) {
      if (--queue_.front()->ends == 0)
        finish_front();  // what it said holds, whatever becomes of those after it
    } else if (options_.mode == Mode::single || queue_.front()->settles) {
      finish_front();
    }  // in a pipeline: the end of one statement's results; its Sync follows
  }
  if (!alive.expired() && state_ == State::up) flush();
}

void Connection::take_notifications() {
  const std::weak_ptr<bool> alive = alive_;
  while (!alive.expired() && state_ == State::up && !held_) {
    PGnotify* notification = PQnotifies(connection_);
    if (notification == nullptr) return;
    const std::string channel = notification->relname,
                      payload = notification->extra == nullptr ? "" : notification->extra;
    PQfreemem(notification);
    const bool full = notified_(channel, payload);  // which may end us
    if (!alive.expired()) held_ = full;
  }
}

/// Every status by its name: what libpq repeats until somebody deals with it would keep the worker
/// here for ever.
void Connection::take(PGresult* result) {
  Pending& front = *queue_.front();
  const ExecStatusType status = PQresultStatus(result);
  if (front.many && status != PGRES_PIPELINE_SYNC) return take_step(front, result);
  switch (status) {
    case PGRES_PIPELINE_SYNC:
      PQclear(result);
      if (options_.mode == Mode::single) PQexitPipelineMode(connection_);
      return finish_front();
    case PGRES_SINGLE_TUPLE: {
      const Rows rows(result);
      if (front.taker && !front.result.error) held_ = front.taker(rows);
      return;
    }
    case PGRES_EMPTY_QUERY:  // nothing but comments
    case PGRES_COMMAND_OK: return take_command(front, result);
    case PGRES_TUPLES_OK: {
      Rows rows(result);
      if (front.taker && rows.count() > 0 && !front.result.error)
        held_ = front.taker(rows);  // a script's, in the simple protocol
      else
        front.result.rows = std::move(rows);
      return;
    }
    case PGRES_COPY_OUT:
    case PGRES_COPY_IN:
    case PGRES_COPY_BOTH: PQclear(result); return refuse_copy(front);
    case PGRES_PIPELINE_ABORTED:
      PQclear(result);
      if (!front.preparing.empty()) prepared_.erase(std::exchange(front.preparing, ""));
      if (!front.result.error) front.result.error = skipped();
      return;
    case PGRES_BAD_RESPONSE:
    case PGRES_NONFATAL_ERROR:
    case PGRES_FATAL_ERROR: return take_error(front, result);
  }
  take_error(front, result);  // of a libpq that is newer than this
}

void Connection::take_command(Pending& front, PGresult* result) {
  if (!front.preparing.empty()) {
    front.preparing.clear();
    PQclear(result);
    return;
  }
  if (front.script && !front.result.error && std::string_view(PQcmdStatus(result)) == "LISTEN")
    front.result.error =
        QueryError{kNotServed, "LISTEN by sql is not served: nobody would hear; use listen", ""};
  front.result.rows = Rows(result);
}

void Connection::take_error(Pending& front, PGresult* result) {
  if (!front.preparing.empty()) prepared_.erase(std::exchange(front.preparing, ""));
  if (!front.result.error) {
    front.result.error = error_of_result(result);
    front.result.error->took = since(front.sent);
    forget_stale_plans(*front.result.error);
  }
  PQclear(result);
}

/// Its transaction ends with the connection, so that nothing of it is done.
void Connection::refuse_copy(Pending& front) {
  const QueryError error{kNotServed, "COPY to or from a client is not served by sql", ""};
  if (!front.result.error) front.result.error = error;
  for (QueryResult& each : front.results)
    if (!each.error) each.error = error;
  close(error.message);
}

void Connection::take_step(Pending& front, PGresult* result) {
  Rows rows(result);
  QueryResult& step = front.results[std::min(front.step, front.results.size() - 1)];
  const bool preparing = !front.commands.empty() && !front.commands.front().empty();
  switch (PQresultStatus(result)) {
    case PGRES_COPY_OUT:
    case PGRES_COPY_IN:
    case PGRES_COPY_BOTH: return refuse_copy(front);
    case PGRES_EMPTY_QUERY:
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_SINGLE_TUPLE:  // a pipeline's first command is still in the mode of what was
                              // streamed before it
      if (!preparing && step.rows.count() == 0) step.rows = std::move(rows);
      return;
    case PGRES_PIPELINE_ABORTED:
      if (!step.error) step.error = skipped();
      break;
    default:  // an error of any kind
      if (!step.error) {
        step.error = error_of_result(result);
        step.error->took = since(front.sent);
        forget_stale_plans(*step.error);
      }
  }
  if (preparing) prepared_.erase(front.commands.front());
}

/// The server refuses a prepared statement whose columns have changed their types, for ever: all
/// are prepared anew.
void Connection::forget_stale_plans(const QueryError& error) {
  if (error.sqlstate != "0A000" && error.sqlstate != "26000") return;
  ++epoch_;
  prepared_.clear();
}

void Connection::end_of_command() {
  Pending& front = *queue_.front();
  if (front.commands.empty()) return;
  if (front.commands.front().empty()) ++front.step;
  front.commands.pop_front();
}

void Connection::finish_front() {
  const std::unique_ptr<Pending> done = std::move(queue_.front());
  queue_.pop_front();
  if (!queue_.empty()) progress_ = std::chrono::steady_clock::now();
  if (done->settles) return settled(done->result);
  // An error without a state is libpq's own: the connection is gone, and `read` closes it.
  if (done->waiting) done->waiting.resume();
}

void Connection::resume() {
  if (!held_) return;
  held_ = false;
  boost::asio::post(loop_, [this, alive = std::weak_ptr<bool>(alive_)] {
    if (alive.expired() || state_ != State::up) return;
    take_results();
    if (!alive.expired() && notified_) take_notifications();
    if (!alive.expired()) wait_readable();
  });
}

bool Connection::send(const Statement& statement, const Parameters& parameters, Pending& pending) {
  if (options_.mode == Mode::pipeline) {
    hold_back();
    return send_step(statement, parameters, pending.preparing) && PQpipelineSync(connection_) != 0;
  }
  const auto values = pointers_to(parameters);
  return PQsendQueryParams(connection_, statement.sql.c_str(), static_cast<int>(values.size()),
                           nullptr, values.data(), nullptr, nullptr, 0) != 0;
}

int Connection::version() const { return PQserverVersion(connection_); }

/// In pipeline mode; `preparing`: the name, where it has to be prepared before.
bool Connection::send_step(const Statement& statement, const Parameters& parameters,
                           std::string& preparing) {
  const auto values = pointers_to(parameters);
  const int count = static_cast<int>(values.size());
  if (statement.name.empty())
    return PQsendQueryParams(connection_, statement.sql.c_str(), count, nullptr, values.data(),
                             nullptr, nullptr, 0) != 0;
  std::string renamed;
  if (epoch_ > 0) renamed = statement.name + "e" + std::to_string(epoch_);
  const std::string& name = epoch_ > 0 ? renamed : statement.name;
  if (prepared_.insert(name).second) {
    if (PQsendPrepare(connection_, name.c_str(), statement.sql.c_str(), 0, nullptr) == 0)
      return false;
    preparing = name;
  }
  return PQsendQueryPrepared(connection_, name.c_str(), count, values.data(), nullptr, nullptr,
                             0) != 0;
}

Connection::RunAll Connection::run_all(std::vector<Step> steps) {
  if (state() != State::up) return RunAll(QueryError{"", problem_, ""}, steps.size());
  for (const Step& step : steps)
    if (auto error = unsendable(step.statement().sql, step.parameters))
      return RunAll(*std::move(error), steps.size());
  if (options_.mode == Mode::single) PQenterPipelineMode(connection_);
  sync_reads();
  hold_back();
  auto pending = std::make_unique<Pending>();
  pending->many = true;
  pending->results.resize(steps.size());
  bool sent = true;
  for (const Step& step : steps) {
    std::string preparing;
    sent = sent && send_step(step.statement(), step.parameters, preparing);
    if (!preparing.empty()) pending->commands.push_back(std::move(preparing));
    pending->commands.emplace_back();
  }
  if (!sent || PQpipelineSync(connection_) == 0) {
    QueryError error{"", error_text(), ""};
    close(error.message);  // half of them may be on their way; without a Sync nothing is kept
    return RunAll(std::move(error), steps.size());
  }
  return RunAll(enqueue(std::move(pending)));
}

Connection::Pending* Connection::enqueue(std::unique_ptr<Pending> pending) {
  pending->affinity = std::exchange(next_affinity_, std::nullopt);
  pending->sent = std::chrono::steady_clock::now();
  if (queue_.empty()) progress_ = pending->sent;
  queue_.push_back(std::move(pending));
  ++round_trips_;
  want_flush();
  return queue_.back().get();
}

bool Connection::carries(std::uint32_t affinity) const {
  return std::any_of(queue_.begin(), queue_.end(),
                     [&](const auto& pending) { return pending->affinity == affinity; });
}

/// A Sync sends what there is. The first of a turn goes at once, those after it wait in the kernel
/// for the end of the turn, and go together.
void Connection::hold_back() {
  if (++sent_in_turn_ != 2) return;
  const int on = 1;
  corked_ = setsockopt(PQsocket(connection_), IPPROTO_TCP, TCP_CORK, &on, sizeof on) == 0;
}

void Connection::let_go() {
  if (!std::exchange(corked_, false)) return;
  const int off = 0;
  setsockopt(PQsocket(connection_), IPPROTO_TCP, TCP_CORK, &off, sizeof off);
}

/// Ends the reads that were sent since the last one, as one transaction that changes nothing.
void Connection::sync_reads() {
  if (!std::exchange(sync_due_, false)) return;
  hold_back();
  if (PQpipelineSync(connection_) == 0) return;  // the connection is gone, and reading will say so
  auto marker = std::make_unique<Pending>();
  marker->sync = Pending::Sync::alone;
  queue_.push_back(std::move(marker));
}

Connection::Run Connection::run_read(const Statement& statement, const Parameters& parameters) {
  if (state() != State::up) return Run(QueryError{"", problem_, ""});
  if (auto error = unsendable(statement.sql, parameters)) return Run(*std::move(error));
  auto pending = std::make_unique<Pending>();
  pending->sync = Pending::Sync::shared;
  if (!send_step(statement, parameters, pending->preparing))
    return Run(QueryError{"", error_text(), ""});
  if (!pending->preparing.empty()) pending->ends = 2;
  sync_due_ = true;
  return Run(enqueue(std::move(pending)));
}

Connection::Run Connection::run(const Statement& statement, const Parameters& parameters) {
  return stream(statement, parameters, nullptr);
}

Connection::Run Connection::stream(const Statement& statement, const Parameters& parameters,
                                   RowTaker taker) {
  if (state() != State::up) return Run(QueryError{"", problem_, ""});
  if (auto error = unsendable(statement.sql, parameters)) return Run(*std::move(error));
  sync_reads();
  auto pending = std::make_unique<Pending>();
  pending->taker = std::move(taker);
  if (!send(statement, parameters, *pending)) return Run(QueryError{"", error_text(), ""});
  if (pending->taker) PQsetSingleRowMode(connection_);
  return Run(enqueue(std::move(pending)));
}

Connection::Run Connection::discard_all() {
  prepared_.clear();
  return run(once("DISCARD ALL"), Parameters());
}

Connection::Run Connection::run_script(std::string sql, RowTaker taker) {
  if (state() != State::up) return Run(QueryError{"", problem_, ""});
  if (auto error = unsendable(sql, Parameters())) return Run(*std::move(error));
  if (PQsendQuery(connection_, sql.c_str()) == 0) return Run(QueryError{"", error_text(), ""});
  auto pending = std::make_unique<Pending>();
  pending->taker = std::move(taker);
  pending->script = true;
  if (pending->taker) PQsetSingleRowMode(connection_);
  return Run(enqueue(std::move(pending)));
}

}  // namespace backends::postgres
