#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "router/shard_factory.hpp"
#include "router/worker.hpp"

namespace router {

class Log;

/// What workers are given, and what must stay open as long as they have it.
struct Prepared {
  Publication publication;
  ShardSources::Opened opened;
};

/// Workers that a configuration asks for; bounds of the process are divided by it.
std::size_t worker_count(const config::Config& config);

/// Loads the ring that a configuration names, checks it against the shards and opens what they
/// need; warnings are logged. Nothing is in force yet. `sequence`: of the snapshot, ascending.
/// Throws std::runtime_error naming all problems.
Prepared prepare(const config::Config& config, ShardSources& sources, std::uint64_t sequence, Log& log);

/// Settings that a reload can't change, where they differ.
std::vector<std::string> fixed_differences(const config::Config& old, const config::Config& next);

}  // namespace router
