#pragma once

#include <cstdint>
#include <vector>

#include "config/config.hpp"
#include "reshard/plan.hpp"

namespace reshard {

/// How many rows, and bytes, of routed buckets each vnode of the source has: by vnode.
struct VnodeLoad {
  std::uint64_t vnode = 0, rows = 0, bytes = 0;
};
std::vector<VnodeLoad> vnode_loads(const Side& source, const config::Buckets& buckets);

}  // namespace reshard
