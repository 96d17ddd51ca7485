#include "objects/delete_log.hpp"

namespace objects {

std::optional<DeleteLogRow> record_delete_log(const JsValue* headers, const JsObject* value,
                                              std::int64_t now_ms) {
  const JsValue* previous = headers == nullptr ? nullptr : headers->get("x-muskie-prev-metadata");
  const JsValue* id = previous == nullptr ? nullptr : previous->get("objectId");
  if (id == nullptr || !id->truthy()) return std::nullopt;
  const JsValue* next = value == nullptr ? nullptr : value->find("objectId");
  if (next != nullptr && *next == *id) return std::nullopt;

  DeleteLogRow row;
  row.value = stringify(*previous);
  row.object_id = to_text(*id);
  const JsValue* no_links = headers->get("x-muskie-snaplinks-disabled");
  if (no_links != nullptr && no_links->truthy()) {
    row.bucket = "manta_fastdelete_queue";
    row.key = row.object_id;
  } else {
    row.bucket = "manta_delete_log";
    row.key = "/" + row.object_id + "/" + std::to_string(now_ms);
    row.indexed = true;
  }
  return row;
}

}  // namespace objects
