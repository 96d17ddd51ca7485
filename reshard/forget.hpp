#pragma once

#include "reshard/journal.hpp"

namespace reshard {

/// Takes what a plan that is over has left out of both databases: its rows, and with the last plan
/// the triggers. Throws std::runtime_error where it is not over, or a router may still be on a ring
/// by which the source owns its vnodes: the source's fence is what stops it.
void forget(const Journal& journal);

}  // namespace reshard
