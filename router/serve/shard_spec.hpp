#pragma once

#include "config/config.hpp"

namespace router {

/// A pnode's shard, as the configuration describes it.
using ShardSpec = config::Shard;

}  // namespace router
