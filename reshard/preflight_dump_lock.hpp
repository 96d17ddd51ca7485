#pragma once

#include "reshard/database.hpp"
#include "reshard/preflight.hpp"

namespace reshard {

/// Warns of dumps of a side that run now. Throws SessionError.
void look_at_dumps(Database& side, Preflight& found);

/// Of a plan that takes the dump lock in ZooKeeper: whether it can, and who has it now. Changes
/// nothing.
void look_at_dump_lock(const Plan& plan, Preflight& found);

}  // namespace reshard
