#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "objects/js_value.hpp"

namespace objects {

/// A row that Manta's recordDeleteLog trigger writes (spec moray-postgres 9). Its `_vnode` is NULL.
struct DeleteLogRow {
  std::string bucket;  ///< manta_delete_log or manta_fastdelete_queue
  std::string key;
  std::string value;  ///< JSON text
  std::string object_id;
  bool indexed = false;  ///< `object_id` goes into the column objectid
  bool operator==(const DeleteLogRow&) const = default;
};

/// What the trigger writes after a put (`value`) or a delete (null pointer); nullopt: nothing.
/// `headers` may be null; `now_ms` since 1970.
std::optional<DeleteLogRow> record_delete_log(const JsValue* headers, const JsObject* value,
                                              std::int64_t now_ms);

}  // namespace objects
