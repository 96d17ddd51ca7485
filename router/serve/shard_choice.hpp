#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "backends/shard.hpp"

namespace router {

/// The index of a random healthy shard, another than `but` where there is a choice; a random one
/// where none is healthy. `shards` must not be empty. `random_state` is advanced. Pure; O(shards).
std::size_t choose_healthy(std::span<backends::Shard* const> shards, std::uint64_t& random_state,
                           const backends::Shard* but);

}  // namespace router
