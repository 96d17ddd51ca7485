#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "reshard/copy.hpp"
#include "reshard/tables.hpp"

namespace reshard {

/// A unique value of a row that moves, which another row has that is, or will be, at the target.
struct TakenValue {
  std::string column, value;
  std::string key;  ///< of the other row
};

/// The first that is found. `source`: where the rows of `groups` move from, as `table` has them.
/// `there`: the database of the other rows, in its table `other`; all of them, or those of the
/// vnodes `others`. Values of a group are read at once. Throws SessionError. Complexity: two
/// queries a group and unique index.
std::optional<TakenValue> taken_value(backends::postgres::Session& source, const Table& table,
                                      const std::vector<VnodeGroup>& groups,
                                      backends::postgres::Session& there, const Table& other,
                                      const std::optional<VnodeGroup>& others);

/// Rows that another plan moves to the same target, and has not cut over: they are still at their
/// source.
struct ComingRows {
  std::string plan, pnode;  ///< `pnode`: where they come from
  VnodeGroup vnodes;
  std::unique_ptr<backends::postgres::Session> source;
};

/// Of all plans but that one. `shards`: whose URLs are known; where a source's is not, or it can't
/// be reached, a warning says so. Throws SessionError of the target.
std::vector<ComingRows> coming_rows(backends::postgres::Session& target, const std::string& but,
                                    const std::vector<Side>& shards,
                                    std::vector<std::string>& warnings);

}  // namespace reshard
