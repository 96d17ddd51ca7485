#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "reshard/pump.hpp"
#include "reshard/rows.hpp"
#include "reshard/throttle.hpp"

namespace reshard {

/// Vnodes of a plan that are read, or deleted, by one statement.
using VnodeGroup = std::vector<std::uint64_t>;

/// Groups of about so many rows each. `owned`: vnodes that the table's rows are spread over.
/// Without an index by vnode all are one group, so that the table is read once. Pure.
std::vector<VnodeGroup> groups_of(const ring::VnodeSet& vnodes, const Table& table,
                                  std::uint64_t owned, std::uint64_t rows);

/// An array of a group's vnodes, for SQL.
std::string group_sql(const VnodeGroup& group);

struct CopyTold {
  std::function<void(std::uint64_t rows, std::uint64_t bytes)> rows;
  std::function<void(std::uint64_t vnodes)> vnodes;  ///< the rows of so many more are on disk
  std::function<bool()> stopped;  ///< true: stop now; a group in its middle is copied again
  std::function<void()> between;  ///< called after a group, when no statement is under way
};

/// Copies a table's rows of these vnodes; what a copy that was cut off has left there goes first.
/// Rows that find their place taken are left to the log. `ids_issued_anew`: rows don't keep theirs.
/// False: it was stopped, and where that was in the middle of a group, the source's apply session
/// has ended with it. Throws as Applying does.
bool copy_table(Database& from, Database& to, Pump& pump, const TablePair& tables,
                const std::vector<VnodeGroup>& groups, bool ids_issued_anew, Throttle& throttle,
                const CopyTold& told);

/// Rows at the source without a vnode get theirs, page by page: what was born before the triggers
/// were there. O(rows).
void give_vnodes(Database& source, const Table& table);

}  // namespace reshard
