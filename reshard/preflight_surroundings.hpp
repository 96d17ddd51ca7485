#pragma once

#include "reshard/database.hpp"
#include "reshard/preflight.hpp"

namespace reshard {

/// The part of a preflight that is about what is around the tables: poolers, settings, locales,
/// extensions' versions, transactions that will be waited for. Adds to `found`; the sides are
/// connected. Throws SessionError.
void look_at_surroundings(Database& source, Database& target, Preflight& found);

}  // namespace reshard
