#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "reshard/database.hpp"

namespace reshard {

/// Takes the triggers and the schema out of a database that has no plan any more: in transactions
/// of one table each, every one of which looks first, under the lock that a plan's rows are made
/// under, that there is no plan; so that it may be cut off anywhere, begun again, and met by a new
/// plan. A table that others have locked is tried again, in turn with the rest, and waited for
/// longer each time, but never for more than a second: writers of it wait as long. Returns the
/// oldest plan that is there (the one that is forgotten aside), for which everything that is left
/// stays; nullopt: nothing is left. Throws ActFailed after `limit`, naming what is left and who has
/// it locked. Complexity: two round trips a table, and some 20 s of each minute if they stay
/// locked.
std::optional<std::uint64_t> remove_leftovers(Database& database, std::chrono::seconds limit);

}  // namespace reshard
