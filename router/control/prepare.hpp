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

/// What workers are given, and what must stay open as long as they have it.
struct Prepared {
  Publication publication;
  ShardSources::Opened opened;
};

/// Workers that a configuration asks for; bounds of the process are divided by it.
std::size_t worker_count(const config::Config& config);

/// Checks a ring against a configuration's shards and opens what they need; warnings are logged.
/// Nothing is in force yet. `gate`: null: all open. `sequence`: of the snapshot, ascending. Throws
/// ConfigurationError, or std::runtime_error for what can't be opened.
Prepared prepare(const config::Config& config, RingInForce ring, std::shared_ptr<const Gate> gate,
                 ShardSources& sources, std::uint64_t sequence, Log& log);

/// Settings that a reload can't change, where they differ.
std::vector<std::string> fixed_differences(const config::Config& old, const config::Config& next);

}  // namespace router
