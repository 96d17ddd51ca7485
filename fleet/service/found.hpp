#pragma once

#include <string>
#include <vector>

#include "coordination/requests.hpp"
#include "fleet/protocol/state.hpp"
#include "fleet/service/paths.hpp"

namespace fleet {

/// What makes a fleet of one ring, as one transaction: it fails as `exists` where there is one. The
/// parent of its root is made before, where it is missing. `root`: what all members have in common.
std::vector<coordination::Write> founding(const Paths& paths, const RingName& ring,
                                          const std::string& root = "");

}  // namespace fleet
