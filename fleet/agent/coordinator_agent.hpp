#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "fleet/agent/session_keeper.hpp"
#include "fleet/protocol/coordinator.hpp"
#include "fleet/service/coordinator_requests.hpp"

namespace fleet {

/// A coordinator, its session with the service, and its clock, until the change is through. Lives
/// on one thread, that of its loop.
class CoordinatorAgent {
 public:
  using Clock = std::chrono::nanoseconds (*)();
  struct Told {
    /// Once, on the loop's thread.
    std::function<void(Ending)> ended;
    std::function<void(std::string)> problem;  ///< for people
  };

  CoordinatorAgent(boost::asio::io_context& loop, MakeSession session, Paths paths,
                   CoordinatorOptions options, Intent intent, Told told, Clock clock);
  CoordinatorAgent(const CoordinatorAgent&) = delete;
  CoordinatorAgent& operator=(const CoordinatorAgent&) = delete;

  void start();
  /// Of a cutover.
  void aim(Aim aim);
  [[nodiscard]] const Coordinator& coordinator() const { return coordinator_; }

 private:
  void session_began(coordination::Session& session);
  void session_ended();
  void pump();
  void arm(std::chrono::nanoseconds now);
  void tell(const std::string& problem);
  template <typename Tell>
  void answered(Tell tell);

  boost::asio::io_context& loop_;
  Paths paths_;
  Told told_;
  Clock clock_;
  Coordinator coordinator_;
  std::unique_ptr<CoordinatorRequests> requests_;  // of the session there is
  SessionKeeper keeper_;
  bool asking_ = false, ended_ = false;
  std::string problem_;  // that was told last
  boost::asio::steady_timer timer_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace fleet
