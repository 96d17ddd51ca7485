#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "router/worker.hpp"

namespace router {

/// What the status pages are made of.
struct PageState {
  std::chrono::system_clock::time_point started_at;
  std::shared_ptr<const Snapshot> snapshot;
  std::vector<config::Shard> shards;
  std::vector<WorkerStatus> workers;
  std::uint64_t reloads = 0;  ///< asked for, refused ones among them
  std::string last_reload;  ///< empty: none was tried
  bool ready = false;
};

/// electric-moray's /status, and more: ring, reload, shards as the workers see them.
std::string status_page(const PageState& state);
/// electric-moray's /kang/snapshot. No request's arguments are shown: they hold users' data.
std::string kang_snapshot(const PageState& state);

}  // namespace router
