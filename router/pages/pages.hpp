#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "router/control/answers.hpp"
#include "router/member/fleet_status.hpp"
#include "router/serve/worker.hpp"

namespace router {

/// What the status pages are made of.
struct PageState {
  std::chrono::system_clock::time_point started_at;
  std::shared_ptr<const Publication> published;
  PublicationCounts publications;
  ControlStatus control;
  std::vector<WorkerStatus> workers;
  std::optional<FleetStatus> fleet;  ///< of a member
  bool ready = false;

  [[nodiscard]] const Snapshot& snapshot() const { return *published->snapshot; }
};

/// electric-moray's /status, and more: ring, reload, shards as the workers see them.
std::string status_page(const PageState& state);
/// Why a member of a fleet serves no clients.
std::string not_ready_page(const FleetStatus& status);
/// electric-moray's /kang/snapshot. No request's arguments are shown: they hold users' data.
std::string kang_snapshot(const PageState& state);

}  // namespace router
