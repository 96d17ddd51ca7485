#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "reshard/copy.hpp"
#include "reshard/database.hpp"
#include "reshard/rows.hpp"

namespace reshard {

/// Keys of which the two sides differ, with what each had when it was looked at last: a digest;
/// empty: no row.
using Suspects = std::map<std::string, std::pair<std::string, std::string>>;

/// So many are looked at again at once.
inline constexpr std::size_t kSuspectsAtOnce = 5'000;

/// Those of the keys; the source's columns are compared. One round trip, both servers at once.
/// O(keys) memory.
Suspects suspects_of_keys(Database& from, Database& to, const TablePair& pair,
                          const std::vector<std::string>& keys);

/// Those of these vnodes, some at a time: never more than `kSuspectsAtOnce` in memory, however many
/// rows there are and differ. Each side's rows are one statement's, in the order of the keys'
/// bytes, which both servers sort by. `sink` may use the sessions, and their transactions.
void each_suspects_of_vnodes(Database& from, Database& to, const TablePair& pair,
                             const VnodeGroup& vnodes,
                             const std::function<void(Suspects suspects)>& sink);

}  // namespace reshard
