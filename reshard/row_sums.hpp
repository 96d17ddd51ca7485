#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "backends/postgres/wire/session.hpp"
#include "reshard/copy.hpp"

/// What two sides are compared by: a digest for each row, and their sums by vnode.
namespace reshard {

/// Of a vnode's rows.
struct VnodeSum {
  std::uint64_t rows = 0;
  std::string digest;
  bool operator==(const VnodeSum&) const = default;
};
/// A vnode without rows is not there.
using VnodeSums = std::map<std::uint64_t, VnodeSum>;

/// Queries of the two sides, whose rows are key and digest. The source's columns are compared, in
/// their order. `where`: a condition on `t`.
std::pair<std::string, std::string> digests_sql(const TablePair& tables, const std::string& where);
/// Digests by key, of what that query has found.
std::map<std::string, std::string> digests_of(const backends::postgres::Rows& rows);

/// Queries of two servers, which work on them at once. Throws SessionError.
std::pair<backends::postgres::Rows, backends::postgres::Rows> ask_both(
    backends::postgres::Session& one, backends::postgres::Session& other,
    const std::pair<std::string, std::string>& sql,
    const backends::postgres::Parameters& values = {});

/// Of a group of vnodes, on both sides.
std::pair<VnodeSums, VnodeSums> sums_of(backends::postgres::Session& one,
                                        backends::postgres::Session& other, const TablePair& tables,
                                        const VnodeGroup& group);

}  // namespace reshard
