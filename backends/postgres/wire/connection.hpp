#pragma once

#include <chrono>
#include <coroutine>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "backends/postgres/wire/lifetime.hpp"
#include "backends/postgres/wire/long_turn.hpp"
#include "backends/postgres/wire/multiplexer.hpp"
#include "backends/postgres/wire/query.hpp"
#include "backends/postgres/wire/transport.hpp"
#include "backends/postgres/wire/window.hpp"
#include "budget/budget.hpp"

namespace backends::postgres {

/// One connection to a PostgreSQL server, never blocking. In pipeline mode statements are sent as
/// they come, each with a Sync of its own, so that one's error is nobody else's; otherwise one at a
/// time, as transactions and streams need it. Lives on one worker.
class Connection {
 public:
  using Mode = postgres::Mode;
  enum class State : std::uint8_t { connecting, up, closed };

  struct Options {
    std::string url;               ///< libpq's, a URI or `key=value` pairs
    std::vector<NamedHost> hosts;  ///< of the URL, where names are to be looked up
    Mode mode = Mode::single;
    std::chrono::milliseconds connect_limit{3'000};
    std::chrono::milliseconds statement_limit{0};  ///< 0: what the server says
    /// For results, until the worker sees to others. 0: one at a time.
    std::chrono::milliseconds turn{2};
    budget::Account* memory = nullptr;  ///< what libpq keeps counts there; null: nowhere
    /// Told, with what it was, where answers are not those that are due; null: nobody.
    std::function<void(const std::string& what)> out_of_step;
  };

  /// `changed` is told of each change of state, never from inside a call; it may destroy the
  /// connection. `round_trips` is counted up; it outlives us.
  Connection(boost::asio::io_context& loop, Options options, std::uint64_t& round_trips,
             std::function<void()> changed);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Up when its session has the settings that it needs, too, and no more where it is about to
  /// close.
  [[nodiscard]] State state() const {
    return state_ == State::up && (!settled_ || ending_) ? State::connecting : state_;
  }
  [[nodiscard]] const std::string& problem() const { return problem_; }
  /// Nothing has come for so long although something is due: a statement waits for a lock, say.
  static constexpr std::chrono::milliseconds kStall{50};
  [[nodiscard]] bool stalled() const {
    return !sent_.empty() && !next_turn_ && std::chrono::steady_clock::now() - progress_ > kStall;
  }
  /// Of which vnode the next statement is.
  void tag(std::uint32_t affinity) { next_affinity_ = affinity; }
  /// Whether a statement of that vnode is in flight. O(those in flight).
  [[nodiscard]] bool carries(std::uint32_t affinity) const { return sent_.carries(affinity); }
  [[nodiscard]] std::string address() const { return transport_.address(); }
  /// The server's process, by its own word; 0: none.
  [[nodiscard]] int backend() const { return backend_; }
  /// A pooler stands before the server: it has told another process than the server does.
  [[nodiscard]] bool pooled() const {
    return transport_.libpq() != nullptr && backend_ != 0 &&
           PQbackendPID(transport_.libpq()) != backend_;
  }
  /// The server takes no more now: what is sent waits in this process, and can't be taken back.
  [[nodiscard]] bool backlogged() const { return transport_.backlogged(); }
  /// Mode pipeline: as many statements are under way as is good; more are taken all the same.
  [[nodiscard]] bool full() const { return full_; }
  /// Called by way of the loop when either is no longer so.
  void on_drained(std::function<void()> drained) { drained_ = std::move(drained); }
  /// libpq keeps the memory of the largest message, as long as it is connected: whether that is
  /// large, was needed last before that time, and nothing is in flight now.
  [[nodiscard]] bool grown_until(std::chrono::steady_clock::time_point time) const {
    return grown_at_ && *grown_at_ < time && idle();
  }
  /// Nothing is in flight.
  [[nodiscard]] bool idle() const { return sent_.empty() && ready_ == nullptr; }

  /// The server's: 150004. 0: not connected.
  [[nodiscard]] int version() const;

  /// `co_await connection.run(…)` gives the QueryResult. Where the connection is not up it is an
  /// error without sqlstate.
  class Run;
  Run run(const Statement& statement, const Parameters& parameters);
  /// Mode pipeline only, for statements that change nothing: those of one turn of the loop share a
  /// Sync, which saves both sides a system call each. Where another of them fails, this one's error
  /// says `skipped`; it should be run alone then.
  Run run_read(const Statement& statement, const Parameters& parameters);
  /// The same of a statement that looks whether what it goes by (a bucket's configuration) is
  /// unchanged, and fails if not. Of those of one turn with the same `checked` (by its address, and
  /// one after the other) only the last looks, and of many each eighth: the others are sent as
  /// `bare`, the same without the look, and their answers wait for that one's. What a later
  /// statement finds unchanged was so before, too. Both live until the answer.
  Run run_read(const Statement& checked, const Statement& bare, Parameters parameters);
  /// Mode single only: rows one at a time; where the taker says true, no more until `resume`.
  Run stream(const Statement& statement, const Parameters& parameters, RowTaker taker);
  /// Mode single only: the simple protocol, any number of statements, rows one at a time. A LISTEN
  /// among them fails (kNotServed); a COPY, of any kind of run, ends the connection with that.
  Run run_script(std::string sql, RowTaker taker);
  /// Mode single only, outside of a transaction: what a client's SQL has set, made, locked or
  /// prepared is gone, and so are the session's settings, which `settings` makes again.
  Run discard_all();
  /// The statement that makes them. They don't come with the connection, since poolers refuse what
  /// they don't know.
  [[nodiscard]] Statement settings() const;

  /// All of them in one round trip, up to the first that fails; the others' errors say `skipped`.
  /// Where they don't begin a transaction themselves they are one (which ends with them). Not
  /// empty.
  class RunAll;
  RunAll run_all(std::vector<Step> steps);

  /// Mode single only: what is notified, once its LISTEN has been answered. True: no more until
  /// `resume`.
  using NotificationTaker =
      std::function<bool(const std::string& channel, const std::string& payload)>;
  void on_notification(NotificationTaker taker) { notified_ = std::move(taker); }

  /// A stream that its taker held up goes on.
  void resume();
  /// Ends the connection; what was in flight fails as lost.
  void close(const std::string& why);
  /// The same where an answer shows that it, and so all others here, may be of another request.
  void close_out_of_step(const std::string& what);

 private:
  /// A read that is kept back for the rest of its turn, which decides how it is sent.
  struct KeptBack {
    pending::Read* read = nullptr;
    const Statement *checked = nullptr, *bare = nullptr;
    Parameters parameters;
  };

  using Clock = std::chrono::steady_clock;

  void connected();
  void settled(const QueryResult& result);
  void want_flush();
  void flush();
  void read(const std::string& lost);
  void take_results(bool all);
  void grow(std::size_t bytes);
  void came(const PGresult* result);
  void charge_unchecked();
  [[nodiscard]] std::size_t under_way() const;
  void make_room();
  void next_turn();
  void take_notifications();
  bool resume_ready(Clock::time_point until);
  void resume_all(std::unique_ptr<Pending> done);
  void resume(Pending& done);
  void send_kept_back(bool bare);
  void sync_reads();
  QueryError not_sent();
  void hold_back();
  void enqueue(std::unique_ptr<Pending> pending);
  void fail_all();
  bool send(const Statement& statement, const Parameters& parameters, std::string& preparing);
  bool send_step(const Statement& statement, const Parameters& parameters, std::string& preparing);

  boost::asio::io_context& loop_;
  Options options_;
  std::uint64_t& round_trips_;
  std::function<void()> changed_, drained_;
  NotificationTaker notified_;
  State state_ = State::connecting;
  std::string problem_;
  bool settled_ = false;
  int backend_ = 0;
  Transport transport_;
  Multiplexer sent_;
  std::unique_ptr<Pending> ready_;  // answered, and resumed next: a chain
  LongTurn& long_turn_;             // of the loop
  std::optional<std::uint32_t> next_affinity_;
  std::chrono::steady_clock::time_point progress_;
  bool sync_due_ = false;  // of reads
  KeptBack kept_back_;
  unsigned bare_ = 0;    // reads that were sent without a look, since the last that had one
  bool ending_ = false;  // libpq did not take a statement: nothing is sent after it
  unsigned sent_in_turn_ = 0;
  bool flush_posted_ = false, held_ = false, next_turn_ = false, full_ = false;
  Window window_;
  std::optional<std::chrono::steady_clock::time_point> grown_at_;  // last
  budget::Charge kept_;                                            // by libpq, of large messages
  budget::Charge unchecked_;  // rows that wait for the look of a later read, or in ready_
  Lifetime lifetime_;
};

/// What `co_await` takes.
class Connection::Run {
 public:
  bool await_ready() const noexcept { return pending_ == nullptr; }
  void await_suspend(std::coroutine_handle<> waiting) noexcept { pending_->waiting = waiting; }
  QueryResult await_resume() {
    return pending_ == nullptr ? std::move(failed_) : std::move(pending_->result);
  }

 private:
  friend class Connection;
  explicit Run(Awaited& awaited) : pending_(&awaited) {}
  explicit Run(QueryError error) { failed_.error = std::move(error); }
  Awaited* pending_ = nullptr;
  QueryResult failed_;
};

/// Gives a QueryResult for each step.
class Connection::RunAll {
 public:
  bool await_ready() const noexcept { return pending_ == nullptr; }
  void await_suspend(std::coroutine_handle<> waiting) noexcept { pending_->waiting = waiting; }
  std::vector<QueryResult> await_resume() {
    return pending_ == nullptr ? std::move(failed_) : std::move(pending_->results);
  }

 private:
  friend class Connection;
  explicit RunAll(pending::Several& several) : pending_(&several) {}
  RunAll(QueryError error, std::size_t steps) : failed_(steps) {
    for (QueryResult& each : failed_) each.error = error;
  }
  pending::Several* pending_ = nullptr;
  std::vector<QueryResult> failed_;
};

}  // namespace backends::postgres
