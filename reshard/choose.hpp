#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "reshard/vnode_loads.hpp"
#include "ring/vnode_set.hpp"

namespace reshard {

/// How an operator says which vnodes move; exactly one of these.
struct Choice {
  std::string vnodes;                 ///< a list, as VnodeSet::parse takes it
  bool half = false;                  ///< of the rows
  std::uint64_t rows = 0, bytes = 0;  ///< about so many
};

/// Some of `owned`, in ascending order of vnodes, so that they are few ranges: as many as come
/// nearest to what was asked for, and at least one. Pure. Throws std::invalid_argument where a
/// named vnode is not owned, or none or more than one way is chosen.
ring::VnodeSet chosen(const Choice& choice, const ring::VnodeSet& owned,
                      const std::vector<VnodeLoad>& loads);

}  // namespace reshard
