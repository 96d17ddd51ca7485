#pragma once

#include <string>

#include "backends/postgres/sql/plans.hpp"
#include "reshard/tables.hpp"
#include "ring/ring.hpp"
#include "ring/vnode_set.hpp"

/// What resharding keeps in a shard's database: the schema `moray_router` (docs/resharding.md, in
/// the databases).
namespace reshard {

/// The first number of the advisory locks that writers of moving rows share, and that barriers try;
/// the second is the plan's number.
inline constexpr int kWritersLock = 0x6d727776;
/// The same of the lock that a plan's coordinator holds for as long as its session lives. With 0
/// instead of a plan's number it is the lock of all plans: rows of plans are made under it alone,
/// and changes of buckets share it.
inline constexpr int kCoordinatorLock = backends::postgres::kPlansLock;
/// Sorts behind any other trigger of a table.
inline constexpr const char* kRowTrigger = "zzzz_moray_router_reshard";
inline constexpr const char* kTruncateTrigger = "zzzz_moray_router_truncate";
/// SQLSTATE of everything that a plan refuses.
inline constexpr const char* kRefusedState = "MR001";
/// SQLSTATE of an upgrade of the schema that a plan of an older program forbids.
inline constexpr const char* kOlderPlanState = "MR002";

/// Statements that make the schema, its tables and functions, or bring an older version's up to
/// date. One text, for one transaction; it fails with `kOlderPlanState` where a plan that an older
/// program began is under way, and changes nothing then. Throws std::invalid_argument where
/// PostgreSQL has no function for the ring's algorithm.
std::string schema_sql(const ring::Ring& ring);

/// Statements that put the triggers on a bucket's table, and on each relation that it consists of;
/// one that is there is left alone: making it anew would wait for every writer. Empty: all are
/// there. Throws SessionError.
std::string table_triggers_sql(backends::postgres::Session& session, const Table& table);
/// The same for the list of buckets.
std::string bucket_list_trigger_sql();
/// An expression for the vnode of a key; `key`: an expression, too.
std::string key_vnode(const std::string& bucket, const std::string& key);
/// An expression for a row's vnode, whether or not the row says it. `row`: the table's alias.
std::string vnode_expression(const std::string& bucket, const std::string& row);

/// What a query of vnodes, one a row, has found.
ring::VnodeSet vnodes_in(const backends::postgres::Rows& rows);
/// A query of one column `v`, of type bigint: these vnodes. Its text has a line a range.
std::string vnodes_sql(const ring::VnodeSet& vnodes);

}  // namespace reshard
