#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "backends/postgres/query.hpp"

struct pg_conn;

namespace backends::postgres {

struct SessionError : std::runtime_error {
  SessionError(const std::string& what, std::string state)
      : std::runtime_error(what), sqlstate(std::move(state)) {}
  /// Empty: the connection was lost, or never made. Of one that was never made it is what the
  /// server said to the login, where it said something (28P01: a wrong password).
  std::string sqlstate;
  std::string detail;  ///< of the server; may be empty
};

/// A connection for tools: it waits for each answer. Lives on one thread at a time. Every member
/// throws SessionError with the server's own words.
class Session {
 public:
  /// `application`: what the server's list of sessions shows. `seconds`: for connecting to each of
  /// the URL's hosts, then for the session's first settings, and for an answer of a network that
  /// has gone silent.
  Session(const std::string& url, const std::string& application, int seconds = 10);

  Rows run(const std::string& sql, const Parameters& parameters = {});
  /// Several statements in one text and one round trip; the last one's rows. No parameters, and one
  /// transaction unless the text has its own.
  Rows run_all(const std::string& sql);

  /// `run` in two halves, so that two servers can be asked at once: nothing else in between.
  /// Whoever sent and doesn't receive (an exception) throws the answer away with the session's next
  /// statement.
  void send(const std::string& sql, const Parameters& parameters = {});
  /// The same of several statements in one text, as `run_all`.
  void send_all(const std::string& sql);
  Rows receive();

  /// COPY … TO STDOUT: each piece as the server sends it, one row (or the header with it) a piece.
  /// A sink that throws ends the statement and the connection.
  void copy_out(const std::string& sql, const std::function<void(std::string_view piece)>& sink);
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
  /// The server's process.
  [[nodiscard]] int process() const;

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
  void sent(int accepted);
  Rows checked(PGresult* result);
  [[noreturn]] void fail(PGresult* result);
  std::unique_ptr<pg_conn, Finish> connection_;
  std::optional<Clock::time_point> until_;
  WhileWaiting asked_;
};

}  // namespace backends::postgres
