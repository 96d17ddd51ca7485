#pragma once

#include "reshard/journal.hpp"

namespace reshard {

/// Sides of a plan that are gone for good: what was left there went with them.
struct Forgotten {
  bool source_is_gone = false, target_is_gone = false;
};

/// Takes what a plan that is over has left out of both databases: with the last plan of a database
/// the triggers, then the plan's rows; so that a forget that was cut off can be done again. A plan
/// that is aborted but left at a target needs its target cleaned first, or gone; one that waits for
/// a source to be cleaned, likewise. Throws std::runtime_error where the plan is not over, or a
/// router's ring still gives its vnodes to the source whose fence would go.
void forget(const Journal& journal, const Forgotten& gone);

}  // namespace reshard
