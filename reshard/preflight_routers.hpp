#pragma once

#include <optional>
#include <string>
#include <vector>

#include "reshard/database.hpp"
#include "reshard/preflight.hpp"
#include "reshard/routers.hpp"

namespace reshard {

/// The part of a preflight that asks the routers, all at once: each has its ring in a store, and a
/// prepare of the plan's ring is rehearsed there, on its disk, and taken away again. Obstacles name
/// the router, and the plan that has moved vnodes away. `source` is connected. Sets `found.rings`.
/// Returns how the routers' sessions at databases are called; nullopt: not all have said it.
std::optional<std::vector<std::string>> look_at_routers(const Plan& plan, Routers& routers,
                                                        Database& source, Preflight& found);

/// Sessions at a side's database that are neither this program's nor a router's of `applications`,
/// as warnings, or as obstacles where the plan says so: at most ten kinds of them by name, and how
/// many more there are. `side` is connected.
void look_at_clients(Database& side, const std::vector<std::string>& applications,
                     Preflight& found);

}  // namespace reshard
