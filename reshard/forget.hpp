#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "reshard/journal.hpp"
#include "reshard/routers.hpp"

namespace reshard {

/// Sides of a plan that are gone for good: what was left there went with them.
struct Forgotten {
  bool source_is_gone = false, target_is_gone = false;
  /// How long tables are waited for that others have locked, at each side.
  std::chrono::seconds lock_limit{600};
};

/// Takes what a plan that is over has left out of both databases: the plan's rows, and those of
/// older plans of its vnodes; then, where a database has no plan any more, triggers and schema
/// (reshard/leftovers.hpp). It may be cut off anywhere and done again until it ends: each time it
/// looks for whatever is still there. `told`: what is left at each side, when that side is done.
///
/// A plan that is aborted but left at a target needs its target cleaned first, or gone; one that
/// waits for a source to be cleaned, likewise. A plan that was taken back is over with the plan
/// that took it back. Throws std::runtime_error where the plan is not over, where a router's ring
/// still gives vnodes to the source whose fence would go, where the source has lost its cleanup,
/// and where something is left.
void forget(const Journal& journal, Routers& routers, const Forgotten& gone,
            const std::function<void(const std::string& text)>& told);

/// Whether a plan is finished, and its source's row says that its rows are not cleaned: its server
/// has failed over to a standby that lacked the end of the cleanup. False where the source can't be
/// reached. Throws SessionError.
bool has_lost_cleanup(const Journal& journal);

/// Has such a plan begin its cleanup anew when it goes on.
void begin_cleanup_again(Journal& journal);

}  // namespace reshard
