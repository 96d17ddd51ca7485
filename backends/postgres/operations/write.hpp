#pragma once

#include <optional>
#include <string>

#include "backends/postgres/operations/operations.hpp"

namespace backends::postgres {

/// A put or delete as one statement; how its answer is read.
struct Write {
  bool puts = true;
  Step step;
  std::string key;                      ///< as the client wrote it
  std::string stored;                   ///< as the table has it
  std::optional<std::string> expected;  ///< the etag that the row must have; "null": no row
  bool expects_none = false;
  std::string etag;  ///< of a put: the new one
};

/// `row` from objects::new_row.
Write put_write(Work& work, const BucketTable& table, const std::string& key,
                const objects::JsObject& value, const objects::Row& row,
                const objects::JsValue& options);
/// Throws RpcError.
Write erase_write(Work& work, const BucketTable& table, const std::string& key,
                  const objects::JsValue& options);

/// True: done. False: a race was lost for a key that comes and goes; it may be sent again. Throws
/// RpcError, and NewerRow where the row is of a newer version of the bucket than `table`.
bool written(const BucketTable& table, const Write& write, const Rows& rows);

}  // namespace backends::postgres
