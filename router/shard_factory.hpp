#pragma once

#include <vector>

#include "config/config.hpp"
#include "router/shard_set.hpp"

namespace router {

/// Makes the shards that a configuration describes, for any worker. The result may outlive
/// `config`. Throws std::runtime_error for a shard that this build can't serve.
ShardFactory make_shard_factory(const config::Config& config);

/// The shards of `shards` that this build can't serve, in words.
std::vector<config::Problem> unsupported_shards(const std::vector<config::Shard>& shards);

}  // namespace router
