#pragma once

#include <cstdint>
#include <optional>

#include "reshard/records/plans.hpp"

namespace reshard {

/// Plans of one place that hold the site's lock, or may: a plan and the one that takes it back are
/// one. A plan whose journal can't be read may.
struct LockHolders {
  std::uint64_t count = 0;
  std::optional<std::uint64_t> giving_back;  ///< one that runs its hook for that
};

/// All but `plan`, and what it takes back or is taken back by. Reads each plan's journal. Throws
/// ActFailed where the plans can't be looked at, or not all of them.
LockHolders other_lock_holders(Plans& plans, const Plan& plan);

}  // namespace reshard
