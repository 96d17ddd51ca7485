#pragma once

#include <string>
#include <vector>

#include "backends/postgres/wire/session.hpp"

namespace reshard {

/// A transaction of a session, from BEGIN to COMMIT, or to the end of its scope: what is not
/// committed by then is rolled back, so that no exception leaves a session inside a transaction, or
/// inside one that has failed. A session whose connection is lost needs no rollback. Lives on the
/// session's thread, and no longer than the session. Complexity: one round trip each.
class Transaction {
 public:
  /// `begin`: `BEGIN`, with what else goes in the same round trip. Throws SessionError; nothing is
  /// open then.
  explicit Transaction(backends::postgres::Session& session, const std::string& begin = "BEGIN")
      : session_(session) {
    try {
      results_.push_back(session_.run_all(begin));
    } catch (const backends::postgres::SessionError&) {
      roll_back();
      throw;
    }
  }
  /// The same of several statements with values, of which the first is `BEGIN`; `results` has each
  /// one's.
  Transaction(backends::postgres::Session& session,
              const std::vector<backends::postgres::Call>& begin)
      : session_(session) {
    try {
      results_ = session_.run_each(begin);
    } catch (const backends::postgres::SessionError&) {
      roll_back();
      throw;
    }
  }
  ~Transaction() {
    if (open_) roll_back();
  }
  /// The same, only sent, so that two servers can be asked at once: `receive` is to follow.
  struct Sending {
    std::vector<backends::postgres::Call> begin;
  };
  Transaction(backends::postgres::Session& session, const Sending& sending) : session_(session) {
    session_.send_together(sending.begin);
  }
  void receive() { results_ = session_.receive_each(); }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  /// What the last statement of `begin` returned.
  [[nodiscard]] const backends::postgres::Rows& first() const { return results_.back(); }
  [[nodiscard]] const std::vector<backends::postgres::Rows>& results() const { return results_; }
  /// Throws SessionError: where the connection was lost nobody knows what became of it.
  void commit(const std::string& before = "") {
    session_.run_all(before + "COMMIT");
    open_ = false;
  }
  /// Ends one that has changed nothing, and does not wait for the answer.
  void leave() {
    open_ = false;
    session_.send_all("ROLLBACK");
  }

 private:
  void roll_back() noexcept {
    open_ = false;
    try {
      session_.run_all("ROLLBACK");
    } catch (...) {  // the connection is lost, and the transaction with it
    }
  }

  backends::postgres::Session& session_;
  std::vector<backends::postgres::Rows> results_;
  bool open_ = true;
};

}  // namespace reshard
