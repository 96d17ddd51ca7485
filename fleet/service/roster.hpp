#pragma once

#include <functional>
#include <map>
#include <string>

#include "coordination/session.hpp"
#include "fleet/protocol/state.hpp"
#include "fleet/service/paths.hpp"

namespace fleet {

/// Members by their ids.
using Roster = std::map<std::string, Entry>;

/// Who is in the roster, as far as it can be read: an entry that goes meanwhile, or is not in a
/// form that is known, is left out. `done` is called on the session's thread, never from inside;
/// not where the session ends before.
void read_roster(coordination::Session& session, const Paths& paths,
                 std::function<void(coordination::Outcome, Roster)> done);

}  // namespace fleet
