#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "router/control/ring_files.hpp"
#include "router/serve/shard_factory.hpp"
#include "router/serve/worker.hpp"

namespace router {

class Log;

/// Configuration and ring don't fit each other: what() has all problems.
class ConfigurationError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A ring with what serves it: checked and opened, and not in force yet.
struct Prepared {
  RingInForce ring;
  RoutingSettings settings;
  Publication publication;      ///< but for its snapshot, which today's gate is a part of
  ShardSources::Opened opened;  ///< what must stay open as long as workers have it
};

/// Workers that a configuration asks for; bounds of the process are divided by it.
std::size_t worker_count(const config::Config& config);

/// Checks a ring against a configuration's shards and opens what they need; warnings are logged.
/// Any thread. `at_start`: an embedded shard whose disk is full is logged, and does not keep the
/// others from being served. Throws ConfigurationError, or std::runtime_error for what can't be
/// opened.
Prepared prepare(const config::Config& config, RingInForce ring, ShardSources& sources, Log& log,
                 bool at_start = false);

/// Settings that a reload can't change, where they differ.
std::vector<std::string> fixed_differences(const config::Config& old, const config::Config& next);

}  // namespace router
