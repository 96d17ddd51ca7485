#pragma once

#include <string>

#include "reshard/database.hpp"

namespace reshard {

/// Programs that dump a side's database at this moment, for people; empty: none does. By the name
/// that pg_dump gives to its sessions, unless its environment gives another. What runs at a standby
/// does not show. Throws SessionError.
std::string dumps_at(Database& side);

}  // namespace reshard
