#pragma once

#include <array>
#include <string>

#include "backends/postgres/wire/query.hpp"

namespace backends::postgres {

struct BucketTable;

/// Which of Manta's logs a put or delete writes into besides: none, manta_delete_log, or
/// manta_fastdelete_queue.
enum class Log : std::uint8_t { none, delete_log, fastdelete_queue };

/// A bucket's statements that write one row, whatever the condition: each answers at most one row
/// of (the etag found, rows written, whether the row found is of a newer version of the bucket).
/// Source: spec moray-postgres 4.0.
///
/// Parameters of a put, in this order: `put_parameters`; where the table has `_rver` the newest
/// version that may be overwritten; of `put_known` the etag; of a log its key, value, etag and, of
/// the delete log, object id. Of a delete: key; of `erase_known` the etag; of a log the same and
/// the time in ms.
struct WriteShapes {
  Statement put;        ///< under no condition
  Statement put_new;    ///< there must be no row
  Statement put_known;  ///< the row must have an etag
  Statement erase;
  Statement erase_known;  ///< the row must have an etag
};

WriteShapes write_shapes(const BucketTable& table, Log log);

/// A statement named by its text: two shapes of a bucket never share a name.
Statement named(std::string sql);

}  // namespace backends::postgres
