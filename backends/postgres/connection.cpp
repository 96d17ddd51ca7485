#include "backends/postgres/connection.hpp"

#include <boost/asio/post.hpp>

namespace backends::postgres {
namespace {

using boost::system::error_code;

std::string trimmed(const char* text) {
  std::string message = text == nullptr ? "" : text;
  while (!message.empty() && (message.back() == '\n' || message.back() == ' ')) message.pop_back();
  for (char& c : message)
    if (c == '\n') c = ' ';
  return message;
}

std::string field(const PGresult* result, int code) {
  const char* text = PQresultErrorField(result, code);
  return text == nullptr ? "" : text;
}

QueryError error_of_result(const PGresult* result) {
  QueryError error{field(result, PG_DIAG_SQLSTATE), field(result, PG_DIAG_MESSAGE_PRIMARY), field(result, PG_DIAG_MESSAGE_DETAIL)};
  if (error.lost() && error.message.empty()) error.message = trimmed(PQresultErrorMessage(result));
  return error;
}

std::vector<const char*> pointers_to(const Parameters& parameters) {
  std::vector<const char*> values;
  values.reserve(parameters.size());
  for (const auto& parameter : parameters) values.push_back(parameter ? parameter->c_str() : nullptr);
  return values;
}

/// The settings on which texts of values depend, besides what the operator's `options` say.
/// A pipeline's statements name rows by their keys. Prepared while a table was small, they would
/// keep a plan that reads all of it: there they may not.
std::string session_options(const std::string& url, Connection::Mode mode) {
  std::string options;
  if (PQconninfoOption* given = PQconninfoParse(url.c_str(), nullptr)) {
    for (const PQconninfoOption* each = given; each->keyword != nullptr; ++each)
      if (std::string_view(each->keyword) == "options" && each->val != nullptr) options = std::string(each->val) + " ";
    PQconninfoFree(given);
  }
  return options + "-c TimeZone=UTC -c DateStyle=ISO -c IntervalStyle=postgres -c extra_float_digits=1 -c bytea_output=hex" +
         (mode == Connection::Mode::pipeline ? " -c enable_seqscan=off" : "");
}

}  // namespace

Connection::Connection(boost::asio::io_context& loop, const std::string& url, Mode mode,
                       std::chrono::milliseconds connect_limit, std::uint64_t& round_trips, std::function<void()> changed)
    : loop_(loop), mode_(mode), round_trips_(round_trips), changed_(std::move(changed)), socket_(loop), limit_(loop) {
  const std::string options = session_options(url, mode);
  // What stands before the URL it may override, what stands behind it not.
  // A server that is gone without a word is noticed within a minute.
  const char* keywords[] = {"fallback_application_name", "target_session_attrs", "keepalives_idle", "keepalives_interval", "keepalives_count",
                            "tcp_user_timeout", "dbname", "client_encoding", "options", nullptr};
  const char* values[] = {"moray-router", "read-write", "30", "10", "3", "60000", url.c_str(), "UTF8", options.c_str(), nullptr};
  connection_ = PQconnectStartParams(keywords, values, 1);
  if (connection_ != nullptr) PQsetNoticeProcessor(connection_, [](void*, const char*) {}, nullptr);
  limit_.expires_after(connect_limit);
  limit_.async_wait([this, alive = std::weak_ptr<bool>(alive_)](const error_code& error) {
    if (!error && !alive.expired() && state_ == State::connecting) close("connecting took too long");
  });
  // Not from here: the owner does not have us yet.
  boost::asio::post(loop_, [this, alive = std::weak_ptr<bool>(alive_)] {
    if (!alive.expired()) poll_connect();
  });
}

Connection::~Connection() {
  changed_ = nullptr;
  close("closed");
}

std::string Connection::error_text() const { return trimmed(PQerrorMessage(connection_)); }

std::string Connection::address() const {
  if (connection_ == nullptr || PQhost(connection_) == nullptr) return "";
  return std::string(PQhost(connection_)) + ":" + (PQport(connection_) == nullptr ? "" : PQport(connection_));
}

/// libpq may use another socket for each address that it tries, and closes them itself.
void Connection::assign_socket() {
  const int current = PQsocket(connection_);
  if (socket_.is_open() && socket_.native_handle() == current) return;
  if (socket_.is_open()) socket_.release();
  error_code ignored;
  socket_.assign(current, ignored);
}

void Connection::poll_connect() {
  if (state_ != State::connecting) return;
  if (connection_ == nullptr || PQstatus(connection_) == CONNECTION_BAD) return close(connection_ == nullptr ? "out of memory" : error_text());
  // libpq may have closed the socket that we wait on: let go of it before.
  if (socket_.is_open()) socket_.release();
  const PostgresPollingStatusType status = PQconnectPoll(connection_);
  if (status == PGRES_POLLING_FAILED) return close(error_text());
  if (status == PGRES_POLLING_OK) return after_connect();
  assign_socket();
  const auto wanted = status == PGRES_POLLING_READING ? boost::asio::posix::stream_descriptor::wait_read
                                                      : boost::asio::posix::stream_descriptor::wait_write;
  socket_.async_wait(wanted, [this, alive = std::weak_ptr<bool>(alive_)](const error_code&) {
    if (!alive.expired()) poll_connect();
  });
}

void Connection::after_connect() {
  limit_.cancel();
  assign_socket();
  PQsetnonblocking(connection_, 1);
  if (mode_ == Mode::pipeline) PQenterPipelineMode(connection_);
  state_ = State::up;
  wait_readable();
  if (const auto changed = changed_) changed();
}

void Connection::close(const std::string& why) {
  if (state_ == State::closed) return;
  state_ = State::closed;
  problem_ = why;
  limit_.cancel();
  if (socket_.is_open()) socket_.release();
  if (connection_ != nullptr) PQfinish(connection_);
  connection_ = nullptr;
  fail_all();
  if (!changed_) return;
  boost::asio::post(loop_, [this, alive = std::weak_ptr<bool>(alive_)] {
    if (!alive.expired())
      if (const auto changed = changed_) changed();
  });
}

void Connection::fail_all() {
  std::deque<std::unique_ptr<Pending>> lost;
  lost.swap(queue_);
  for (const auto& pending : lost) {
    pending->result.rows = Rows();
    // Where the server had given its verdict, that is the answer.
    if (!pending->result.error || pending->result.error->lost()) pending->result.error = QueryError{"", problem_, ""};
    // Of several, some may have their results: without the last word of the server they count for nothing.
    for (QueryResult& each : pending->results)
      if (!each.error || each.error->lost()) each = QueryResult{Rows(), QueryError{"", problem_, ""}};
    if (pending->waiting) pending->waiting.resume();
  }
}

void Connection::wait_readable() {
  if (reading_ || held_ || state_ != State::up) return;
  reading_ = true;
  socket_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                     [this, alive = std::weak_ptr<bool>(alive_)](const error_code& error) {
                       if (alive.expired()) return;
                       reading_ = false;
                       if (error || state_ != State::up) return;
                       read();
                       if (!alive.expired()) wait_readable();
                     });
}

void Connection::wait_writable() {
  if (writing_ || state_ != State::up) return;
  writing_ = true;
  socket_.async_wait(boost::asio::posix::stream_descriptor::wait_write,
                     [this, alive = std::weak_ptr<bool>(alive_)](const error_code& error) {
                       if (alive.expired()) return;
                       writing_ = false;
                       if (!error && state_ == State::up) flush();
                     });
}

/// What a turn of the loop has sent goes with one write.
void Connection::want_flush() {
  if (flush_posted_) return;
  flush_posted_ = true;
  boost::asio::post(loop_, [this, alive = std::weak_ptr<bool>(alive_)] {
    if (alive.expired()) return;
    flush_posted_ = false;
    if (state_ == State::up) flush();
  });
}

void Connection::flush() {
  const int left = PQflush(connection_);
  if (left < 0) return close(error_text());
  if (left > 0) wait_writable();  // input is read meanwhile: the server may wait for that
}

void Connection::read() {
  const std::weak_ptr<bool> alive = alive_;
  if (PQconsumeInput(connection_) == 0) {
    const std::string why = error_text();
    take_results();  // what came before the end
    if (!alive.expired()) close(why);
    return;
  }
  take_results();
  if (!alive.expired() && notified_) take_notifications();
  if (!alive.expired() && state_ == State::up && PQstatus(connection_) == CONNECTION_BAD) close(error_text());
}

void Connection::take_results() {
  const std::weak_ptr<bool> alive = alive_;
  bool nothing = false;  // a lost pipeline says it for ever
  while (!alive.expired() && state_ == State::up && !queue_.empty() && !held_ && PQisBusy(connection_) == 0) {
    PGresult* result = PQgetResult(connection_);
    if (result == nullptr && (nothing || PQstatus(connection_) == CONNECTION_BAD)) break;
    nothing = result == nullptr;
    if (result != nullptr) {
      take(result);
    } else if (queue_.front()->many) {
      end_of_command();
    } else if (mode_ == Mode::single) {
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
    const std::string channel = notification->relname, payload = notification->extra == nullptr ? "" : notification->extra;
    PQfreemem(notification);
    const bool full = notified_(channel, payload);  // which may end us
    if (!alive.expired()) held_ = full;
  }
}

void Connection::take(PGresult* result) {
  Pending& front = *queue_.front();
  if (front.many && PQresultStatus(result) != PGRES_PIPELINE_SYNC) return take_step(front, result);
  switch (PQresultStatus(result)) {
    case PGRES_PIPELINE_SYNC:
      PQclear(result);
      if (mode_ == Mode::single) PQexitPipelineMode(connection_);
      return finish_front();
    case PGRES_SINGLE_TUPLE: {
      const Rows rows(result);
      if (front.taker && !front.result.error) held_ = front.taker(rows);
      return;
    }
    case PGRES_COMMAND_OK:
      if (!front.preparing.empty()) {
        front.preparing.clear();
        PQclear(result);
        return;
      }
      front.result.rows = Rows(result);
      return;
    case PGRES_TUPLES_OK: {
      Rows rows(result);
      if (front.taker && rows.count() > 0 && !front.result.error)
        held_ = front.taker(rows);  // a script's, in the simple protocol
      else
        front.result.rows = std::move(rows);
      return;
    }
    case PGRES_PIPELINE_ABORTED: PQclear(result); return;
    default:
      if (!front.preparing.empty()) prepared_.erase(std::exchange(front.preparing, ""));
      if (!front.result.error) front.result.error = error_of_result(result);
      PQclear(result);
  }
}

void Connection::take_step(Pending& front, PGresult* result) {
  Rows rows(result);
  QueryResult& step = front.results[std::min(front.step, front.results.size() - 1)];
  const bool preparing = !front.commands.empty() && !front.commands.front().empty();
  switch (PQresultStatus(result)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_SINGLE_TUPLE:  // a pipeline's first command is still in the mode of what was streamed before it
      if (!preparing && step.rows.count() == 0) step.rows = std::move(rows);
      return;
    case PGRES_PIPELINE_ABORTED:
      if (!step.error) step.error = QueryError{"25P02", "an earlier statement failed", ""};
      break;
    default:
      if (!step.error) step.error = error_of_result(result);
  }
  if (preparing) prepared_.erase(front.commands.front());
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
  if (mode_ == Mode::pipeline) return send_step(statement, parameters, pending.preparing) && PQpipelineSync(connection_) != 0;
  const auto values = pointers_to(parameters);
  return PQsendQueryParams(connection_, statement.sql.c_str(), static_cast<int>(values.size()), nullptr, values.data(), nullptr, nullptr, 0) != 0;
}

/// In pipeline mode; `preparing`: the name, where it has to be prepared before.
bool Connection::send_step(const Statement& statement, const Parameters& parameters, std::string& preparing) {
  const auto values = pointers_to(parameters);
  const int count = static_cast<int>(values.size());
  if (statement.name.empty())
    return PQsendQueryParams(connection_, statement.sql.c_str(), count, nullptr, values.data(), nullptr, nullptr, 0) != 0;
  if (prepared_.insert(statement.name).second) {
    if (PQsendPrepare(connection_, statement.name.c_str(), statement.sql.c_str(), 0, nullptr) == 0) return false;
    preparing = statement.name;
  }
  return PQsendQueryPrepared(connection_, statement.name.c_str(), count, values.data(), nullptr, nullptr, 0) != 0;
}

Connection::RunAll Connection::run_all(std::vector<Step> steps) {
  if (state_ != State::up) return RunAll(QueryError{"", problem_, ""}, steps.size());
  if (mode_ == Mode::single) PQenterPipelineMode(connection_);
  auto pending = std::make_unique<Pending>();
  pending->many = true;
  pending->results.resize(steps.size());
  bool sent = true;
  for (const Step& step : steps) {
    std::string preparing;
    sent = sent && send_step(step.statement, step.parameters, preparing);
    if (!preparing.empty()) pending->commands.push_back(std::move(preparing));
    pending->commands.emplace_back();
  }
  if (!sent || PQpipelineSync(connection_) == 0) {
    QueryError error{"", error_text(), ""};
    close(error.message);  // half of them may be on their way; without a Sync nothing is kept
    return RunAll(std::move(error), steps.size());
  }
  queue_.push_back(std::move(pending));
  ++round_trips_;
  want_flush();
  return RunAll(queue_.back().get());
}

Connection::Run Connection::run(const Statement& statement, Parameters parameters) {
  return stream(statement, std::move(parameters), nullptr);
}

Connection::Run Connection::stream(const Statement& statement, Parameters parameters, RowTaker taker) {
  if (state_ != State::up) return Run(QueryError{"", problem_, ""});
  auto pending = std::make_unique<Pending>();
  pending->taker = std::move(taker);
  if (!send(statement, parameters, *pending)) return Run(QueryError{"", error_text(), ""});
  if (pending->taker) PQsetSingleRowMode(connection_);
  queue_.push_back(std::move(pending));
  ++round_trips_;
  want_flush();
  return Run(queue_.back().get());
}

Connection::Run Connection::run_script(std::string sql, RowTaker taker) {
  if (state_ != State::up) return Run(QueryError{"", problem_, ""});
  if (PQsendQuery(connection_, sql.c_str()) == 0) return Run(QueryError{"", error_text(), ""});
  auto pending = std::make_unique<Pending>();
  pending->taker = std::move(taker);
  if (pending->taker) PQsetSingleRowMode(connection_);
  queue_.push_back(std::move(pending));
  ++round_trips_;
  want_flush();
  return Run(queue_.back().get());
}

}  // namespace backends::postgres
