#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "ring/load.hpp"
#include "ring/ring.hpp"

namespace ring {

/// A ring as its files hold it: a plain directory of node-fash's, or the current one of a store
/// of generations (ring/generation_store.hpp).
struct LocatedRing {
  std::shared_ptr<const Ring> ring;
  std::uint64_t generation = 0;  ///< 0: a plain directory
};

/// `elsewhere`: reads rings in another process; empty: in this. Throws RingError or
/// std::system_error.
LocatedRing load_location(const std::string& location, const Load& elsewhere = {});

}  // namespace ring
