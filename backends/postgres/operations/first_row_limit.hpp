#pragma once

#include <boost/asio/steady_timer.hpp>

#include "backends/postgres/operations/operations.hpp"

namespace backends::postgres {

/// options.timeout of a find bounds the time to its first row: how fast its client takes the others
/// is the client's affair. Past it the statement is cancelled and its connection closed.
class FirstRowLimit {
 public:
  FirstRowLimit(Work& work, Connection& connection)
      : timer_(work.pool.loop()), state_(std::make_shared<State>()) {
    if (!work.statement_limit_ms || *work.statement_limit_ms == 0) return;
    timer_.expires_after(std::chrono::milliseconds(*work.statement_limit_ms));
    // While it is not met, the find is there, and so are its connection and pool.
    timer_.async_wait([state = state_, &work, &connection](const boost::system::error_code& error) {
      if (error || state->met) return;
      state->passed = true;
      work.pool.cancel_statement(connection.backend());
      connection.close("a find took too long");
    });
  }
  ~FirstRowLimit() { met(); }
  FirstRowLimit(const FirstRowLimit&) = delete;
  FirstRowLimit& operator=(const FirstRowLimit&) = delete;

  /// There is a row, or an end.
  void met() {
    if (std::exchange(state_->met, true)) return;
    timer_.cancel();
  }
  [[nodiscard]] bool passed() const { return state_->passed; }

 private:
  struct State {
    bool met = false, passed = false;
  };
  boost::asio::steady_timer timer_;
  std::shared_ptr<State> state_;
};

}  // namespace backends::postgres
