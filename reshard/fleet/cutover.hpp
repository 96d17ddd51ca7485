#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/io_context.hpp>

#include "fleet/agent/coordinator_agent.hpp"
#include "fleet/protocol/coordinator.hpp"
#include "fleet/service/paths.hpp"

namespace reshard {

/// A plan's change in its fleet, opened or found there. Each call waits, and runs the loop
/// meanwhile. Lives on one thread.
class Cutover {
 public:
  Cutover(boost::asio::io_context& loop, fleet::MakeSession session, fleet::Paths paths,
          fleet::CoordinatorOptions options, fleet::intent::Cutover intent, fleet::Aim first);

  enum class Came : std::uint8_t {
    reached,  ///< all members have answered
    ended,    ///< see `ending`: closed, or not this coordinator's any more
    refused,  ///< by a member, see `waits_for`
    late,     ///< not within the time: see `waits_for`
  };
  /// Towards that aim; what is refused or late stays as it is, and may be tried again.
  Came bring(fleet::Aim aim, std::chrono::milliseconds limit);

  [[nodiscard]] bool has_ended() const { return ended_.has_value(); }
  [[nodiscard]] const fleet::Ending& ending() const { return *ended_; }
  /// What it has read or written last.
  [[nodiscard]] const fleet::State& state() const { return agent_.coordinator().state(); }
  /// For people: a member's refusal, or members that have not answered, or why the service has not.
  [[nodiscard]] std::string waits_for() const;
  /// Members that have not answered: `m1, m2`.
  [[nodiscard]] std::string silent() const;

 private:
  boost::asio::io_context& loop_;
  std::optional<fleet::Ending> ended_;
  std::string problem_;
  fleet::CoordinatorAgent agent_;
};

}  // namespace reshard
