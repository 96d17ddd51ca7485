#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "config/config.hpp"
#include "fleet/images/edit.hpp"
#include "fleet/operator/operator.hpp"
#include "ring/ring.hpp"
#include "router/cli/fleet_reports.hpp"
#include "router/member/settings.hpp"

namespace router::cli {

/// What the options of `moray-router fleet` have filled in.
struct FleetOptions {
  std::string config_file, directory, vnodes, pnode, data, mode = "hold", why, token, id, confirmed,
                                                           file, url, digest;
  std::vector<std::string> members, without;
  bool stopped = false;
  bool json = false, watch = false, indeterminate_is_fine = false, all = false;
  bool regardless_of_plans = false, committed = false, not_committed = false;
  double lease = 4, timeout = 60, wait = 30, grace = 30;  // seconds
  std::uint64_t generation = 0;

  static constexpr std::size_t kWhyMost = 500;
};

/// How `fleet` ends, for scripts (docs/fleet.md).
enum class FleetExit : int {
  done = 0,
  refused = 1,  ///< nothing was changed
  unknown = 3,  ///< another has gone on with it, or nobody knows: `fleet status` says what holds
};

/// One command of `moray-router fleet`: what the configuration says, and a session. Throws
/// std::exception, for people.
class FleetCommand {
 public:
  explicit FleetCommand(const FleetOptions& options);

  /// By another session than before.
  void connect();
  /// What members say on their status ports, without the service.
  MemberReports ask(const fleet::Roster& roster, const std::vector<std::string>& ports) {
    return ask_members(loop_, roster, ports);
  }
  void disconnect() { operator_.reset(); }  ///< the next call of `service` connects anew
  fleet::Operator& service();               ///< connects where it is not
  [[nodiscard]] const config::Config& config() const { return config_; }
  [[nodiscard]] const std::string& name() const { return settings_->name; }

  /// The ring in force, for an edit.
  std::shared_ptr<const ring::Ring> ring(const fleet::FleetView& view);
  /// Puts `next`, which was made of `now`, in force, and prints how it went. `what`: for people.
  /// `edit`: what has made it, if that is one.
  FleetExit publish(const fleet::FleetView& view, const std::shared_ptr<const ring::Ring>& now,
                    const std::shared_ptr<const ring::Ring>& next, const std::string& what,
                    const std::optional<fleet::Edit>& edit = std::nullopt);
  /// `ends_as`: how the change is to end.
  FleetExit run(fleet::Intent intent, const std::string& what,
                fleet::Ending::Kind ends_as = fleet::Ending::Kind::committed);
  /// Who is at this terminal, for the history.
  static std::string who();

 private:
  FleetExit say(const fleet::ChangeRun& run, const std::string& token, const std::string& what,
                fleet::Ending::Kind ends_as) const;

  const FleetOptions& given_;
  config::Config config_;
  boost::asio::io_context loop_;
  std::unique_ptr<FleetSettings> settings_;
  std::unique_ptr<fleet::Operator> operator_;  // ends before its loop
  fleet::Geometry geometry_;
};

}  // namespace router::cli
