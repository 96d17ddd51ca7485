// What is asked of a server, and what it answers.
#include <algorithm>

#include <boost/asio/post.hpp>

#include "backends/postgres/wire/connection.hpp"

namespace backends::postgres {
namespace {

constexpr unsigned kBareMost = 7;  // reads that wait for one's look, and their results in memory
constexpr std::size_t kSmallBytes = 64 << 10;  // of those: not worth counting
constexpr std::size_t kKeptAlways = 4 << 20;   // of those, however much others hold
constexpr std::size_t kUsualBytes = 1 << 20;   // of a message; libpq keeps more for ever

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

std::size_t bytes_of(const Parameters& parameters) {
  std::size_t bytes = 0;
  for (const auto& each : parameters) bytes += each ? each->size() : 0;
  return bytes;
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

/// libpq's buffers double until a message fits.
void Connection::grow(std::size_t bytes) {
  if (bytes <= kUsualBytes) return;
  grown_at_ = std::chrono::steady_clock::now();
  if (options_.memory != nullptr && 2 * bytes > kept_.bytes()) kept_.set(2 * bytes);
}

void Connection::came(const PGresult* result) {
  const std::size_t bytes = PQresultMemorySize(result);
  grow(bytes);
  window_.answered(bytes);
  if (bytes > kSmallBytes && options_.memory != nullptr)
    sent_.keep_at_most(std::max(kKeptAlways, options_.memory->share() + unchecked_.bytes()));
}

void Connection::charge_unchecked() {
  std::size_t bytes = sent_.unchecked_bytes();
  for (const Pending* each = ready_.get(); each != nullptr; each = each->next.get())
    if (const auto* read = std::get_if<pending::Read>(&each->kind))
      bytes += read->result.rows.bytes();
  if (options_.memory != nullptr && (bytes > kSmallBytes || unchecked_.bytes() > 0))
    unchecked_.set(bytes);
}

/// A quick server has many rows ready in one turn of the loop. `all`: no later turn comes. A turn
/// ends between two commands, since others send in the next one.
void Connection::take_results(bool all) {
  if (!all && long_turn_.taken()) return next_turn();
  const Lifetime::Watch watch = lifetime_.watch();
  const auto until = all ? Clock::time_point::max() : Clock::now() + options_.turn;
  bool over_time = resume_ready(until);
  while (!over_time && !watch.over() && state_ == State::up && sent_.due() && !held_ &&
         PQisBusy(transport_.libpq()) == 0) {
    PGresult* result = PQgetResult(transport_.libpq());
    // libpq forgets with a connection which commands were sent over it. What it makes of bytes that
    // had come before then is no command's end: rows that their command was not told of are none.
    if (result == nullptr && PQstatus(transport_.libpq()) == CONNECTION_BAD) break;
    if (result != nullptr) came(result);
    Multiplexer::Outcome outcome = sent_.take(result);
    const bool done = outcome.done != nullptr;
    ready_ = std::move(outcome.done);
    charge_unchecked();
    held_ = outcome.held;
    if (outcome.left_pipeline && PQexitPipelineMode(transport_.libpq()) == 0) not_sent();
    if (!outcome.unexpected.empty()) return close_out_of_step(outcome.unexpected);
    if (!outcome.refused.empty()) return close(outcome.refused);
    if (done) {
      if (!sent_.empty()) progress_ = Clock::now();
      over_time = resume_ready(until);
    } else {
      over_time = !sent_.midway() && Clock::now() >= until;
    }
  }
  if (watch.over() || state_ != State::up) return;
  if (over_time) {
    next_turn();  // before the turn is free again, so that those that wait for it come first
    long_turn_.take();
  }
  make_room();
  flush();
}

/// Of statements, those whose results are not taken from here.
std::size_t Connection::under_way() const {
  std::size_t count = sent_.under_way();
  for (const Pending* each = ready_.get(); each != nullptr; each = each->next.get()) ++count;
  return count;
}

/// By way of the loop: those who wait for it send at once.
void Connection::make_room() {
  if (!full_ || !window_.has_room(under_way())) return;
  boost::asio::post(loop_, lifetime_.guard([this] {
    if (!full_ || !window_.has_room(under_way())) return;
    full_ = false;
    if (const auto drained = drained_) drained();
  }));
}

/// Takes the rest of what is here. Nothing is read from the socket before: it would be kept, too.
void Connection::next_turn() {
  if (std::exchange(next_turn_, true)) return;
  boost::asio::post(loop_, lifetime_.guard([this] {
    next_turn_ = false;
    progress_ = Clock::now();  // it was us who kept it waiting
    read("");
  }));
}

/// The first of them, and more until that time: their rows may be large. Whether it has come. A
/// coroutine may end this connection, which resumes the rest.
bool Connection::resume_ready(Clock::time_point until) {
  const Lifetime::Watch watch = lifetime_.watch();
  bool over_time = false;
  while (!over_time && !watch.over() && ready_ != nullptr) {
    const std::unique_ptr<Pending> first = std::exchange(ready_, std::move(ready_->next));
    resume(*first);
    over_time = Clock::now() >= until;
  }
  if (!watch.over() && state_ == State::up) charge_unchecked();
  return over_time;
}

/// Each of them: a coroutine may end this connection, and the rest still get their results.
void Connection::resume_all(std::unique_ptr<Pending> done) {
  while (done != nullptr) {
    std::unique_ptr<Pending> next = std::move(done->next);
    resume(*done);
    done = std::move(next);
  }
}

void Connection::resume(Pending& done) {
  if (const auto* settings = std::get_if<pending::Settings>(&done.kind)) {
    if (state_ == State::up) settled(settings->result);
    return;
  }
  // An error without a state is libpq's own: the connection is gone, and `read` closes it.
  const auto waiting = std::visit(
      [](auto& kind) {
        if constexpr (requires { kind.waiting; }) return kind.waiting;
        return std::coroutine_handle<>();
      },
      done.kind);
  if (waiting) waiting.resume();
}

void Connection::take_notifications() {
  const Lifetime::Watch watch = lifetime_.watch();
  while (!watch.over() && state_ == State::up && !held_) {
    PGnotify* notification = PQnotifies(transport_.libpq());
    if (notification == nullptr) return;
    const std::string channel = notification->relname,
                      payload = notification->extra == nullptr ? "" : notification->extra;
    PQfreemem(notification);
    const bool full = notified_(channel, payload);  // which may end us
    if (!watch.over()) held_ = full;
  }
}

void Connection::resume() {
  if (!held_) return;
  held_ = false;
  boost::asio::post(loop_, lifetime_.guard([this] { read(""); }));
}

bool Connection::send(const Statement& statement, const Parameters& parameters,
                      std::string& preparing) {
  if (options_.mode == Mode::pipeline) {
    hold_back();
    return send_step(statement, parameters, preparing) && PQpipelineSync(transport_.libpq()) != 0;
  }
  grow(bytes_of(parameters));
  const auto values = pointers_to(parameters);
  return PQsendQueryParams(transport_.libpq(), statement.sql.c_str(),
                           static_cast<int>(values.size()), nullptr, values.data(), nullptr,
                           nullptr, 0) != 0;
}

int Connection::version() const { return PQserverVersion(transport_.libpq()); }

/// In pipeline mode; `preparing`: the name, where it has to be prepared before.
bool Connection::send_step(const Statement& statement, const Parameters& parameters,
                           std::string& preparing) {
  grow(bytes_of(parameters));
  const auto values = pointers_to(parameters);
  const int count = static_cast<int>(values.size());
  if (statement.name.empty())
    return PQsendQueryParams(transport_.libpq(), statement.sql.c_str(), count, nullptr,
                             values.data(), nullptr, nullptr, 0) != 0;
  const auto [name, fresh] = sent_.prepared(statement);
  if (fresh) {
    if (PQsendPrepare(transport_.libpq(), name->c_str(), statement.sql.c_str(), 0, nullptr) == 0)
      return false;
    preparing = *name;
  }
  return PQsendQueryPrepared(transport_.libpq(), name->c_str(), count, values.data(), nullptr,
                             nullptr, 0) != 0;
}

Connection::RunAll Connection::run_all(std::vector<Step> steps) {
  if (state() != State::up) return RunAll(QueryError{"", problem_, ""}, steps.size());
  for (const Step& step : steps)
    if (auto error = unsendable(step.statement().sql, step.parameters))
      return RunAll(*std::move(error), steps.size());
  if (options_.mode == Mode::single && PQenterPipelineMode(transport_.libpq()) == 0)
    return RunAll(not_sent(), steps.size());
  sync_reads();
  if (ending_) return RunAll(not_sent(), steps.size());
  hold_back();
  auto pending = std::make_unique<Pending>(pending::Several());
  auto& several = std::get<pending::Several>(pending->kind);
  several.results.resize(steps.size());
  bool sent = true;
  for (const Step& step : steps) {
    std::string preparing;
    sent = sent && send_step(step.statement(), step.parameters, preparing);
    if (!preparing.empty()) several.commands.push_back(std::move(preparing));
    several.commands.emplace_back();
  }
  // Half of them may be on their way; without a Sync nothing is kept.
  if (!sent || PQpipelineSync(transport_.libpq()) == 0) return RunAll(not_sent(), steps.size());
  enqueue(std::move(pending));
  return RunAll(several);
}

void Connection::enqueue(std::unique_ptr<Pending> pending) {
  pending->affinity = std::exchange(next_affinity_, std::nullopt);
  pending->sent = std::chrono::steady_clock::now();
  if (sent_.empty()) progress_ = pending->sent;
  sent_.add(std::move(pending));
  full_ = full_ || (options_.mode == Mode::pipeline && window_.is_full(under_way()));
  ++round_trips_;
  want_flush();
}

/// A Sync sends what there is. The first of a turn goes at once, those after it wait in the kernel
/// for the end of the turn, and go together.
void Connection::hold_back() {
  if (++sent_in_turn_ == 2) transport_.cork();
}

/// libpq has not taken a statement, or some of its commands and not the rest, so that it may have
/// others queued than are in `sent_`, after those that are in both. What the server had said of
/// those is taken at the end of this turn of the loop, and the connection ends.
QueryError Connection::not_sent() {
  if (!std::exchange(ending_, true))
    problem_ = "a statement could not be sent: " + transport_.error_text();
  want_flush();
  return {"", problem_, ""};
}

/// Ends the reads that were sent since the last one, as one transaction that changes nothing.
void Connection::sync_reads() {
  if (!std::exchange(sync_due_, false)) return;
  send_kept_back(false);
  if (ending_) return;
  hold_back();
  if (PQpipelineSync(transport_.libpq()) != 0)
    sent_.add(std::make_unique<Pending>(pending::EndOfReads()));
  else
    not_sent();
}

/// Its place among what was sent is taken already: where libpq does not take it, it is never due.
void Connection::send_kept_back(bool bare) {
  if (kept_back_.read == nullptr) return;
  const KeptBack kept = std::exchange(kept_back_, KeptBack());
  kept.read->unchecked = bare;
  bare_ = bare ? bare_ + 1 : 0;
  if (send_step(bare ? *kept.bare : *kept.checked, kept.parameters, kept.read->preparing)) {
    if (!kept.read->preparing.empty()) kept.read->ends = 2;
    kept.read->sent = true;
  } else {
    not_sent();
  }
}

Connection::Run Connection::run_read(const Statement& statement, const Parameters& parameters) {
  if (state() != State::up) return Run(QueryError{"", problem_, ""});
  if (auto error = unsendable(statement.sql, parameters)) return Run(*std::move(error));
  send_kept_back(false);
  if (ending_) return Run(not_sent());
  auto pending = std::make_unique<Pending>(pending::Read());
  auto& read = std::get<pending::Read>(pending->kind);
  if (!send_step(statement, parameters, read.preparing)) return Run(not_sent());
  if (!read.preparing.empty()) read.ends = 2;
  read.sent = sync_due_ = true;
  enqueue(std::move(pending));
  return Run(read);
}

Connection::Run Connection::run_read(const Statement& checked, const Statement& bare,
                                     Parameters parameters) {
  if (state() != State::up) return Run(QueryError{"", problem_, ""});
  if (auto error = unsendable(checked.sql, parameters)) return Run(*std::move(error));
  send_kept_back(kept_back_.checked == &checked && bare_ < kBareMost && !window_.large());
  if (ending_) return Run(not_sent());
  auto pending = std::make_unique<Pending>(pending::Read());
  auto& read = std::get<pending::Read>(pending->kind);
  kept_back_ = {&read, &checked, &bare, std::move(parameters)};
  sync_due_ = true;
  enqueue(std::move(pending));
  return Run(read);
}

Connection::Run Connection::run(const Statement& statement, const Parameters& parameters) {
  return stream(statement, parameters, nullptr);
}

Connection::Run Connection::stream(const Statement& statement, const Parameters& parameters,
                                   RowTaker taker) {
  if (state() != State::up) return Run(QueryError{"", problem_, ""});
  if (auto error = unsendable(statement.sql, parameters)) return Run(*std::move(error));
  sync_reads();
  if (ending_) return Run(not_sent());
  auto pending = std::make_unique<Pending>(pending::Single());
  auto& single = std::get<pending::Single>(pending->kind);
  single.taker = std::move(taker);
  if (!send(statement, parameters, single.preparing)) return Run(not_sent());
  if (!single.preparing.empty()) single.ends = 2;
  if (single.taker) PQsetSingleRowMode(transport_.libpq());
  enqueue(std::move(pending));
  return Run(single);
}

Connection::Run Connection::discard_all() {
  sent_.forget_prepared();
  return run(once("DISCARD ALL"), Parameters());
}

Connection::Run Connection::run_script(std::string sql, RowTaker taker) {
  if (state() != State::up) return Run(QueryError{"", problem_, ""});
  if (auto error = unsendable(sql, Parameters())) return Run(*std::move(error));
  if (PQsendQuery(transport_.libpq(), sql.c_str()) == 0) return Run(not_sent());
  auto pending = std::make_unique<Pending>(pending::Script());
  auto& script = std::get<pending::Script>(pending->kind);
  script.taker = std::move(taker);
  if (script.taker) PQsetSingleRowMode(transport_.libpq());
  enqueue(std::move(pending));
  return Run(script);
}

}  // namespace backends::postgres
