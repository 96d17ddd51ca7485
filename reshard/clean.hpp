#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "reshard/copy.hpp"

namespace reshard {

/// Deletes moved rows at a side that does not own them, in batches, each in a transaction that goes
/// on only while the newest plan of these vnodes there is this one, it says `state`, and this
/// coordinator is its. Batches that take longer than they should are followed by a pause as long.
/// False: it was stopped.
bool clean_table(Database& at, const Table& table, const std::vector<VnodeGroup>& groups,
                 const std::string& state, Throttle& throttle,
                 const std::function<void(std::uint64_t rows)>& progress,
                 const std::function<bool()>& stopped);

}  // namespace reshard
