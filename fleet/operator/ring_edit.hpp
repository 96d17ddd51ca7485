#pragma once

#include "ring/ring.hpp"

namespace fleet {

/// Whether a publication of `next` after `now` must let the writes that are under way end before it
/// comes into force: not where it only adds data to vnodes that had none. Throws
/// std::invalid_argument where keys hash to other vnodes by it. O(vnodes).
bool needs_drain(const ring::Ring& now, const ring::Ring& next);

}  // namespace fleet
