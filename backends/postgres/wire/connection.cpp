#include "backends/postgres/wire/connection.hpp"

#include <charconv>

#include <boost/asio/post.hpp>

#include "backends/postgres/wire/session_settings.hpp"

namespace backends::postgres {
namespace {

std::string quoted(std::string_view text) {
  std::string literal = "'";
  for (const char c : text) {
    if (c == '\'') literal += c;
    literal += c;
  }
  return literal + "'";
}

}  // namespace

Connection::Connection(boost::asio::io_context& loop, Options options, std::uint64_t& round_trips,
                       std::function<void()> changed)
    : loop_(loop), options_(std::move(options)), round_trips_(round_trips),
      changed_(std::move(changed)),
      transport_(loop, {options_.url, options_.hosts, options_.connect_limit},
                 {[this] { connected(); }, [this](const std::string& lost) { read(lost); },
                  [this](const std::string& why) { close(why); },
                  [this] {
                    if (const auto drained = drained_) drained();
                  }}),
      sent_(options_.mode), long_turn_(boost::asio::use_service<LongTurn>(loop)) {
  if (options_.memory == nullptr) return;
  kept_ = budget::Charge(*options_.memory);
  unchecked_ = budget::Charge(*options_.memory);
}

Connection::~Connection() {
  changed_ = drained_ = nullptr;
  close("closed");
}

/// The settings on which the meaning of a statement or the text of a value depends. A pipeline's
/// statements name rows by their keys. Prepared while a table was small, they would keep a plan
/// that reads all of it: there they may not. Where that is so, a plan that has to costs
/// 10,000,000,000 more, by which it would be compiled each time: of a site's triggers, say, and
/// their small tables.
Statement Connection::settings() const {
  std::string sql = "SELECT pg_backend_pid()";
  const auto set = [&sql](std::string_view name, std::string_view value) {
    sql += ", set_config(" + quoted(name) + ", " + quoted(value) + ", false)";
  };
  for (const SessionSetting& each : session_settings())
    if (!each.of_connections.empty()) set(each.name, each.of_connections);
  if (options_.mode == Mode::pipeline) {
    set("enable_seqscan", "off");
    if (version() >= 110000) set("jit", "off");  // older ones compile nothing
  }
  if (options_.statement_limit.count() > 0)
    set("statement_timeout", std::to_string(options_.statement_limit.count()));
  return once(std::move(sql));
}

/// The settings are made before anybody else may send anything.
void Connection::connected() {
  state_ = State::up;
  PGconn* libpq = transport_.libpq();
  if (PQsendQueryParams(libpq, settings().sql.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 0) ==
      0)
    return close(transport_.error_text());
  auto pending = std::make_unique<Pending>(pending::Settings());
  progress_ = pending->sent = std::chrono::steady_clock::now();
  sent_.add(std::move(pending));
  flush();
  if (state_ == State::up) transport_.await_readable();
}

void Connection::settled(const QueryResult& result) {
  if (result.error || result.rows.count() != 1)
    return close("the session's settings: " + (result.error ? result.error->message : "no answer"));
  const std::string_view process = result.rows.text(0, 0);
  std::from_chars(process.data(), process.data() + process.size(), backend_);
  transport_.established();
  settled_ = true;
  if (options_.mode == Mode::pipeline && PQenterPipelineMode(transport_.libpq()) == 0)
    return close(transport_.error_text());
  if (const auto changed = changed_) changed();
}

void Connection::close(const std::string& why) {
  if (state_ == State::closed) return;
  state_ = State::closed;
  problem_ = why;
  transport_.close();
  kept_.set(0);
  unchecked_.set(0);
  const Lifetime::Watch watch = lifetime_.watch();
  fail_all();  // by which our owner may end
  if (watch.over() || !changed_) return;
  boost::asio::post(loop_, lifetime_.guard([this] {
    if (const auto changed = changed_) changed();
  }));
}

void Connection::close_out_of_step(const std::string& what) {
  if (state_ == State::closed) return;
  const std::string why = std::string(kOutOfStep) + ": " + what;
  if (options_.out_of_step) options_.out_of_step(why + " (" + address() + ")");
  close(why);
}

/// What was in flight is answered by those who wait for it, and one of those may own us.
void Connection::fail_all() {
  kept_back_ = {};
  std::unique_ptr<Pending> lost = sent_.lose(problem_);
  resume_all(std::move(ready_));
  resume_all(std::move(lost));
}

/// What a turn of the loop has sent goes with one write.
void Connection::want_flush() {
  if (std::exchange(flush_posted_, true)) return;
  boost::asio::post(loop_, lifetime_.guard([this] {
    flush_posted_ = false;
    if (state_ != State::up) return;
    if (!ending_) sync_reads();
    sent_in_turn_ = 0;
    if (ending_) return read(problem_);
    flush();
    if (state_ == State::up) transport_.uncork();
  }));
}

void Connection::flush() {
  if (!transport_.flush()) close(transport_.error_text());
}

/// `lost`: not empty, why nothing more comes.
void Connection::read(const std::string& lost) {
  if (state_ != State::up) return;
  const Lifetime::Watch watch = lifetime_.watch();
  take_results(!lost.empty());
  if (!lost.empty()) {
    if (!watch.over()) close(lost);
    return;
  }
  if (!watch.over() && notified_) take_notifications();
  if (watch.over() || state_ != State::up || next_turn_) return;
  if (PQstatus(transport_.libpq()) == CONNECTION_BAD) return close(transport_.error_text());
  if (!held_) transport_.await_readable();
}

}  // namespace backends::postgres
