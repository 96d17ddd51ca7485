#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "backends/postgres/wire/session.hpp"
#include "reshard/plan.hpp"

namespace reshard {

/// A database of a plan, looked at by a session that is nobody's but its owner's. A server that is
/// away costs about two seconds, and then nothing for a second, in which it is not asked again.
/// Lives on one thread.
class SideSession {
 public:
  SideSession(const Side& side, Role role, std::string application)
      : side_(side), role_(role), application_(std::move(application)) {}

  /// `work` with the session. Throws SessionError, naming the side.
  template <typename Work>
  auto use(const Work& work) {
    using backends::postgres::SessionError;
    if (away_ && std::chrono::steady_clock::now() < *away_ + kNotAsked)
      throw SessionError(why_, "");
    try {
      if (!session_)
        session_ = std::make_unique<backends::postgres::Session>(side_.url, application_,
                                                                 static_cast<int>(kLimit.count()));
      session_->answer_until(std::chrono::steady_clock::now() + kLimit);
      return work(*session_);
    } catch (const SessionError& error) {
      why_ = std::string(role_ == Role::source ? "source " : "target ") + side_.pnode + ": " +
             error.what();
      if (error.sqlstate.empty() || !session_) {
        session_.reset();
        away_ = std::chrono::steady_clock::now();
      }
      throw SessionError(why_, error.sqlstate);
    }
  }

 private:
  static constexpr std::chrono::seconds kLimit{2};
  static constexpr std::chrono::seconds kNotAsked{1};

  Side side_;
  Role role_;
  std::string application_, why_;
  std::unique_ptr<backends::postgres::Session> session_;
  std::optional<std::chrono::steady_clock::time_point> away_;
};

}  // namespace reshard
