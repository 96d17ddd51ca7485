#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "coordination/session.hpp"
#include "fleet/service/paths.hpp"
#include "fleet/service/roster.hpp"

namespace router {

class Log;

/// The roster as a member has seen it last, beside its store of rings (`<store>/member.roster`):
/// for commands that are to find the members while the service is away. Nothing is decided by it.
/// Lives on its loop's thread.
class RosterKeeper {
 public:
  /// `follows`: what the service says is what the fleet goes by; a roster that was restored with
  /// it, or is empty since all was lost, does not replace what was kept.
  RosterKeeper(boost::asio::io_context& loop, fleet::Paths paths, std::filesystem::path store,
               std::function<bool()> follows, Log& log);
  RosterKeeper(const RosterKeeper&) = delete;
  RosterKeeper& operator=(const RosterKeeper&) = delete;

  /// The roster is read soon after, and then each minute or so: not by all members at once, nor at
  /// each step of a change. Null: there is none; what was asked is not answered any more.
  void session(coordination::Session* session);
  /// Routers that are none of ours, and run.
  [[nodiscard]] std::uint64_t foreign() const { return foreign_; }
  [[nodiscard]] const std::vector<std::string>& ids() const { return ids_; }

 private:
  void read();
  void read_after(std::chrono::milliseconds most);
  void keep(const fleet::Roster& roster);

  const fleet::Paths paths_;
  const std::filesystem::path file_;
  const std::function<bool()> follows_;
  Log& log_;
  coordination::Session* session_ = nullptr;
  boost::asio::steady_timer timer_;
  std::minstd_rand random_{std::random_device{}()};
  std::uint64_t sessions_ = 0;  // that there were: answers to older ones don't count
  std::uint64_t foreign_ = 0;
  std::optional<fleet::Roster> kept_;
  std::vector<std::string> ids_;  // of what is on disk
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

/// What a member has left in that store; empty: nothing. Throws std::runtime_error naming the file
/// where it makes no sense.
fleet::Roster kept_roster(const std::filesystem::path& store);

}  // namespace router
