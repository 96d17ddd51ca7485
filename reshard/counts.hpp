#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "reshard/copy.hpp"

/// The derived bucket `manta_directory_counts`: for each directory, how many rows of `manta` a
/// shard has in it, kept by triggers of Manta's own. One of its rows may sum rows of several
/// vnodes, so that it can't be copied (T5): whatever brings rows to a shard, or takes them away,
/// counts them there, in the same transaction. Everything here is for tables whose `counted_in` is
/// not empty.
namespace reshard {

/// The bucket's name.
inline constexpr const char* kDirectoryCounts = "manta_directory_counts";

/// The bucket whose rows it counts.
inline constexpr const char* kCountedBucket = "manta";

/// Rows by directory, or how many more (or fewer) there are.
using DirectoryCounts = std::map<std::string, std::int64_t>;

/// Of a table's rows of these keys.
DirectoryCounts directories_of(backends::postgres::Session& session, const Table& table,
                               const std::vector<std::string>& keys);

/// In a transaction: so many more or fewer. A count that comes to nothing goes.
void add_counts(backends::postgres::Session& session, const Table& table,
                const DirectoryCounts& more);

struct Miscount {
  std::string directory;
  std::string counted;  ///< what the count says; empty: there is none
  std::uint64_t rows = 0;
};

/// Directories in which a group of vnodes has rows, and whose counts are not those of all their
/// rows at this shard. One snapshot. O(rows of these directories).
std::vector<Miscount> miscounted(backends::postgres::Session& session, const Table& table,
                                 const VnodeGroup& group);

/// Counts those directories anew, in an Applying of its own. Correct beside writers
/// of other rows of theirs, and as often as it is done.
void recount(Database& at, const Table& table, const VnodeGroup& group, const std::string& state);

}  // namespace reshard
