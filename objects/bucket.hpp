#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "objects/index_type.hpp"
#include "objects/js_value.hpp"
#include "objects/result.hpp"
#include "objects/timestamp.hpp"
#include "objects/trigger.hpp"

namespace objects {

struct IndexField {
  std::string name;
  std::string column;  ///< the name in lower case, as PostgreSQL folds it
  IndexType type;
  bool unique = false;
  bool operator==(const IndexField&) const = default;
};

/// A bucket's configuration as clients give it and stores keep it (spec moray-rpc 5.1,
/// moray-postgres 2). A value.
struct Bucket {
  std::string name;
  JsObject index;  ///< in the client's order
  JsArray pre;     ///< trigger sources
  JsArray post;
  JsObject options;  ///< with `version`
  JsValue reindex;   ///< null, or version → array of names still to be reindexed
  Timestamp mtime;   ///< of creation

  std::vector<IndexField> fields;  ///< from `index`
  double version = 0;              ///< from `options`
  bool guarantee_order = false;
  Triggers triggers = Triggers::none;

  [[nodiscard]] const IndexField* field(std::string_view name) const;
  /// Whether the field's columns are not yet filled for rows of before an update.
  [[nodiscard]] bool reindexing(std::string_view name) const;
  /// The names of all fields that are being reindexed, by version and order of addition.
  [[nodiscard]] std::vector<std::string> reindexing_fields() const;
  /// The field, where filters may use it: it exists and is not being reindexed.
  [[nodiscard]] const IndexField* usable_field(std::string_view name) const;
};

/// Fills what is derived from the configuration's parts.
void derive(Bucket& bucket);

/// Checks a createBucket's or updateBucket's arguments in moray's order, and gives the bucket with
/// moray's defaults.
Result<Bucket> check_bucket(const std::string& name, const JsValue& config);

/// What PostgreSQL says of the names in a CREATE TABLE or ADD COLUMN that moray would send: SQL
/// keywords and names that fold to one.
Failed check_sql_names(const std::string& bucket, const std::vector<IndexField>& fields);

/// `moray`, `search`, `buckets_config`.
bool reserved_bucket_name(std::string_view name);

/// getBucket's value: JSON columns as texts.
JsObject bucket_row(const Bucket& bucket);

/// What an updateBucket makes of the stored bucket. `reindex` and `mtime` come out right.
struct BucketUpdate {
  Bucket bucket;
  std::vector<std::string> added;    ///< fields whose columns begin empty
  std::vector<std::string> removed;  ///< fields whose columns go
};
/// Fails with BucketVersionError. A field redefined (type or unique) is removed and added, so that
/// no column holds values of another type. `no_reindex`: the client's option.
Result<BucketUpdate> update_bucket(const Bucket& stored, Bucket wanted, bool no_reindex);

}  // namespace objects
