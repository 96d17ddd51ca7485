#include "router/control/prepare.hpp"

#include <algorithm>
#include <stdexcept>
#include <thread>

#include "router/log/log.hpp"

namespace router {
namespace {

SessionLimits session_limits(const config::Config& config) {
  SessionLimits limits;
  limits.frame_bytes_max = config.limits.frame_bytes_max;
  limits.in_flight_max = config.limits.session_in_flight_max;
  limits.output_bytes_max = config.limits.session_output_bytes_max;
  limits.write_stall_max = std::chrono::milliseconds(config.timeouts.stream_idle_ms);
  return limits;
}

DispatchLimits dispatch_limits(const config::Config& config) {
  using ms = std::chrono::milliseconds;
  return {ms(config.timeouts.object_ms), ms(config.timeouts.find_ms),
          ms(config.timeouts.long_running_ms), ms(config.timeouts.stream_idle_ms)};
}

BoundValues bound_values(const config::Config& config) {
  return {config::memory_bytes(config), config.limits.held_writes_max, config.limits.held_bytes_max,
          std::min<std::size_t>(config.limits.large_frames_bytes_max,
                                config::memory_bytes(config) / 2)};
}

void log_problems(Log& log, LogLevel level, const std::vector<config::Problem>& problems) {
  for (const config::Problem& problem : problems) {
    if (level == LogLevel::warn)
      log.warn("configuration", {{"path", problem.path}, {"problem", problem.message}});
    else
      log.error("configuration", {{"path", problem.path}, {"problem", problem.message}});
  }
}

}  // namespace

std::size_t worker_count(const config::Config& config) {
  return config.workers != 0 ? config.workers : std::max(1u, std::thread::hardware_concurrency());
}

Prepared prepare(const config::Config& config, RingInForce ring, ShardSources& sources, Log& log,
                 bool at_start) {
  const auto pnodes = ring.ring->pnodes();
  auto resolved = config::resolve_shards(config, {pnodes.begin(), pnodes.end()});
  log_problems(log, LogLevel::warn, resolved.warnings);
  if (!resolved.problems.empty()) throw ConfigurationError(config::to_text(resolved.problems));

  Prepared prepared;
  prepared.ring = std::move(ring);
  prepared.settings.local_buckets = config.buckets.local;
  prepared.settings.sql = config.sql;
  for (const config::Shard& shard : resolved.shards)
    prepared.settings.pnodes.push_back(
        {shard.read_only, shard.backend == config::Backend::postgres});
  prepared.opened = sources.open(resolved.shards, at_start);
  for (const auto& owner : prepared.opened)
    if (const std::string problem = owner->problem(); !problem.empty())
      log.error("an embedded shard can't be opened; it is tried again", {{"reason", problem}});
  Publication& publication = prepared.publication;
  publication.shards = std::move(resolved.shards);
  publication.dispatch = dispatch_limits(config);
  publication.session = session_limits(config);
  publication.hold = {std::chrono::milliseconds(config.timeouts.hold_ms)};
  publication.turn_wait_max = std::chrono::milliseconds(config.timeouts.turn_ms);
  publication.bounds = bound_values(config);
  return prepared;
}

std::vector<std::string> fixed_differences(const config::Config& old, const config::Config& next) {
  std::vector<std::string> names;
  if (old.listen != next.listen) names.emplace_back("listen");
  if (old.monitor != next.monitor) names.emplace_back("monitor");
  if (old.status != next.status) names.emplace_back("status");
  if (old.admin_socket != next.admin_socket) names.emplace_back("admin.socket");
  if (old.workers != next.workers) names.emplace_back("workers");
  if (old.resolvers != next.resolvers) names.emplace_back("dns.resolvers");
  if (old.fleet != next.fleet) names.emplace_back("fleet");
  return names;
}

}  // namespace router
