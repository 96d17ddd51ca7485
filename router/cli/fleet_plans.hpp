#pragma once

#include <string>

#include "config/config.hpp"
#include "ring/ring.hpp"

namespace router::cli {

/// What plans of resharding say against a ring that is to follow another: it would give vnodes to a
/// shard that refuses them, since a plan has moved them away or is about to bring them, or take
/// vnodes from a shard that a plan keeps account of. The shards that give or get vnodes are asked.
/// Empty: nothing. Throws std::runtime_error where such a shard does not answer within a few
/// seconds, or the rings can't be compared.
std::string against_plans(const config::Config& config, const ring::Ring& now,
                          const ring::Ring& next);

}  // namespace router::cli
