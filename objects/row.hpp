#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "objects/bucket.hpp"
#include "objects/column.hpp"
#include "objects/result.hpp"

namespace objects {

/// A bucket's row as a store keeps it (spec moray-postgres 3). A value.
struct Row {
  std::string key;
  std::string value;  ///< the JSON text whose sum is `etag`, unless updateObjects wrote it
  std::string etag;
  std::int64_t id = 0;
  std::int64_t mtime_ms = 0;
  std::optional<std::int64_t> vnode;
  std::optional<std::int64_t> txn_snap;  ///< only with guaranteeOrder
  std::optional<double> version;         ///< the bucket version that the columns match (_rver)
  std::vector<Column> columns;           ///< one for each of Bucket::fields, in their order

  bool operator==(const Row&) const = default;
};

/// The columns that a value fills: one for each field, NULL where the value has no such member.
Result<std::vector<Column>> columns_of(const Bucket& bucket, const JsObject& value);

/// A key as PostgreSQL would take it; its error for what it would not.
Result<std::string> stored_key(const std::string& key);
/// What a put stores, but for `_id` and serial. `key` is a stored one.
Result<Row> new_row(const Bucket& bucket, const std::string& key, const JsObject& value,
                    std::int64_t now_ms);
/// The etag that a delete asks for; nullopt: none that is heeded.
std::optional<std::string> etag_to_delete(const JsValue& options);
/// Whether a bucket's objects may be written; UnknownTriggerError where its triggers are
/// JavaScript.
Failed check_writable(const Bucket& bucket);

/// The row's object as clients read it: the stored value overlaid with the columns of fields that
/// are not being reindexed (spec moray-postgres 7.2). InternalError where the row is none of
/// moray's: its value is no object, or its id is no number of JavaScript's (spec moray-rpc 7).
Result<JsObject> object_of(const Bucket& bucket, const Row& row);

/// getObject's and findObjects' value. `count`: absent, null, or the number of matches.
struct NoCount {};
struct NullCount {};
using Count = std::variant<NoCount, NullCount, std::int64_t>;
JsObject reply_of(const Bucket& bucket, const Row& row, JsObject object, Count count);

/// getObject's value as JSON, made of the stored text itself; nullopt where the columns change
/// something of it (or it is no object). Equal to what `reply_of` gives, but for white space and
/// escapes where the row's writer was neither a moray nor a router.
std::optional<std::string> stored_reply(const Bucket& bucket, const Row& row);

/// findObjects drops members of a value that are named like its own.
void drop_internal_members(JsObject& object);

}  // namespace objects
