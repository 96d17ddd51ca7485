#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "backends/postgres/sql/write_shapes.hpp"
#include "backends/postgres/wire/query.hpp"
#include "objects/bucket.hpp"
#include "objects/row.hpp"

namespace backends::postgres {

/// A bucket, and what its table is like; with the statements that every put, get and delete of it
/// uses. Immutable; shared by the requests that use it. Sources: spec moray-postgres 2, 3, 4.0, 10.
struct BucketTable {
  objects::Bucket bucket;
  std::string table;  ///< its quoted name
  /// ` AND …` of each statement that goes by this configuration: true while the bucket's row is the
  /// one that was read; an error (kStaleBucket) where any process has changed it since.
  std::string unchanged;
  bool extended_id = false;  ///< `_idx` and its index are there
  bool has_version = false;  ///< `_rver` is there
  bool hides = false;        ///< vnodes have moved, or do: rows that another shard owns may be here
                             ///< (docs/resharding.md)

  Statement get;       ///< of a key's row; with `unchanged`
  Statement get_bare;  ///< the same without it, where a later statement looks
  std::array<WriteShapes, 3>
      writes;  ///< by Log; those of logs only where the bucket has Manta's trigger

  [[nodiscard]] const WriteShapes& shapes(Log log) const {
    return writes[static_cast<std::size_t>(log)];
  }
  /// What selects a row for `row_of`, in its order.
  [[nodiscard]] std::string row_columns() const;
  /// A row of `row_columns()`, beginning at `column`.
  [[nodiscard]] objects::Row row_of(const Rows& rows, int row, int column = 0) const;
};

/// SQLSTATE by which a statement says that its bucket was changed: division by zero.
inline constexpr const char* kStaleBucket = "22012";

/// Reads a bucket's configuration and what the catalogue says of its table: $1 is its name, $2 its
/// quoted table, $3 the name of the index of `_idx`.
extern const Statement kLoadBucket;
Parameters load_parameters(const std::string& bucket);
/// From a row of `kLoadBucket`.
std::shared_ptr<const BucketTable> bucket_table(const Rows& rows, int row);

/// The columns of `buckets_config` that `bucket_of` reads, in its order.
extern const char* const kBucketColumns;
objects::Bucket bucket_of(const Rows& rows, int row);

/// $1 to $n of every put statement (WriteShapes).
Parameters put_parameters(const BucketTable& table, const objects::Row& row);

}  // namespace backends::postgres
