#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "backends/postgres/wire/query.hpp"

struct pg_conn;

namespace backends::postgres {

struct SessionError : std::runtime_error {
  SessionError(const std::string& what, std::string state)
      : std::runtime_error(what), sqlstate(std::move(state)) {}
  /// Empty: the connection was lost, or never made. Of one that was never made it is what the
  /// server said to the login, where it said something (28P01: a wrong password).
  std::string sqlstate;
  std::string detail;         ///< of the server; may be empty
  std::string constraint;     ///< that a row breaks: its name; empty: none
  std::string schema, table;  ///< whose constraint that is
};

/// SQLSTATE of a session that does not keep what was set in it.
inline constexpr const char* kNotKeptState = "MR003";

/// A statement with values of its own.
struct Call {
  std::string sql;
  Parameters values = {};
  std::string name = {};  ///< by which a session may have prepared it; empty: none has
};

/// A connection for tools: it waits for each answer. Lives on one thread at a time. Every member
/// throws SessionError with the server's own words.
class Session {
 public:
  /// Sets what `session_settings` names, and reads it back. `application`: what the server's list
  /// of sessions shows, whatever the URL says. `seconds`: for connecting to each of the URL's
  /// hosts, then for the session's first settings, and for an answer of a network that has gone
  /// silent. Throws with `kNotKeptState` where a setting does not stay: something between has
  /// changed it.
  Session(const std::string& url, const std::string& application, int seconds = 10);

  Rows run(const std::string& sql, const Parameters& parameters = {});
  /// Several statements in one text and one round trip; the last one's rows. No parameters, and one
  /// transaction unless the text has its own.
  Rows run_all(const std::string& sql);

  /// Several statements with values, in one round trip and, unless they have their own, one
  /// transaction; the last one's rows. What follows one that fails is not done, and its error is
  /// thrown. Their values together are a few megabytes at most.
  Rows run_together(const std::vector<Call>& calls);
  /// The same; each one's rows.
  std::vector<Rows> run_each(const std::vector<Call>& calls);

  /// The server parses the call's statement once; this session's later calls of that name, which
  /// must have the same statement, send only their values. Does nothing where that name is prepared
  /// already. One round trip.
  void prepare(const Call& call);
  /// `kept`: until told otherwise, the server plans a statement without regard to its values, so
  /// that a prepared one is planned at its first call alone. Other statements of this session are
  /// planned so, too. Does nothing on servers before 12. One round trip.
  void keep_plans(bool kept);

  /// `run` in two halves, so that two servers can be asked at once: nothing else in between.
  /// Whoever sent and doesn't receive (an exception) throws the answer away with the session's next
  /// statement.
  void send(const std::string& sql, const Parameters& parameters = {});
  void send(const Call& call);
  /// The same of several statements in one text, as `run_all`, and of several with values.
  void send_all(const std::string& sql);
  void send_together(const std::vector<Call>& calls);
  Rows receive();
  /// Of several with values, each one's rows.
  std::vector<Rows> receive_each();

  /// COPY … TO STDOUT: each piece as the server sends it, one row (or the header with it) a piece.
  /// A sink that throws ends the statement and the connection.
  void copy_out(const std::string& sql, const std::function<void(std::string_view piece)>& sink);
  /// The same rows in the same form, without a header or an end, of a query with values.
  void stream(const std::string& sql, const Parameters& parameters,
              const std::function<void(std::string_view row)>& sink);
  /// COPY … FROM STDIN of one whole text.
  void copy_in(const std::string& sql, std::string_view bytes);

  /// The server ends statements that take longer; 0: none.
  void limit_statements(std::uint64_t milliseconds);
  /// A statement whose answer is not there by then ends the connection, and is a SessionError:
  /// nobody knows what became of it. nullopt: any time.
  void answer_until(std::optional<std::chrono::steady_clock::time_point> time) { until_ = time; }
  /// Called about ten times a second while an answer is waited for, with the time that it has been
  /// waited for. True: it is waited for no longer, which is as an answer that is not there in time.
  /// Must not use this session. Empty: nobody is asked.
  using WhileWaiting = std::function<bool(std::chrono::milliseconds waited)>;
  void while_waiting(WhileWaiting asked) { asked_ = std::move(asked); }
  /// As 150004.
  [[nodiscard]] int version() const;
  /// The server's process, as the server says.
  [[nodiscard]] int process() const { return process_; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Finish {
    void operator()(pg_conn* connection) const;
  };
  /// The next result of a statement that was sent, or null behind its last; waits as long as may
  /// be.
  PGresult* next();
  /// The last of them.
  PGresult* last();
  /// Until there is something to read. False: the connection has ended, and the next result says
  /// why.
  bool wait();
  /// What an earlier statement has left goes.
  void clear();
  void settle(const std::string& application);
  void sent(int accepted);
  Rows checked(PGresult* result);
  [[noreturn]] void fail(PGresult* result);
  std::unique_ptr<pg_conn, Finish> connection_;
  int enqueue(const Call& call);
  std::set<std::string> prepared_;
  std::size_t together_ = 0;  // statements whose results are still to come
  int process_ = 0;
  std::optional<Clock::time_point> until_;
  WhileWaiting asked_;
};

}  // namespace backends::postgres
