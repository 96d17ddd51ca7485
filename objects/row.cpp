#include "objects/row.hpp"

#include "json/document.hpp"
#include "objects/convert.hpp"
#include "objects/errors.hpp"
#include "objects/etag.hpp"
#include "objects/text.hpp"

namespace objects {
namespace {

constexpr std::int64_t kWholeMost = std::int64_t{1} << 53;  // that JavaScript tells apart

std::optional<JsObject> parse_object(const std::string& text) {
  json::Document document;
  if (document.parse(text) || !document.root().is(json::Type::object)) return std::nullopt;
  return std::move(*parse_value(document.root()).object());
}

void overlay(JsObject& object, const IndexField& field, const Column& column) {
  JsValue* stored = object.find(field.name);
  if (is_null(column)) {
    if (stored != nullptr && !stored->is_null()) object.erase(field.name);
    return;
  }
  const bool keep = stored != nullptr && stored->array() != nullptr && !field.type.array;
  if (!keep) object.set(field.name, to_value(column, field.type));
}

JsValue number_or_null(const std::optional<std::int64_t>& number) {
  return number ? JsValue(*number) : JsValue();
}

/// Whether the column's value is what the stored member says already.
bool agrees(const std::optional<json::Value>& stored, const IndexField& field,
            const Column& column) {
  if (is_null(column)) return !stored || stored->is(json::Type::null);
  if (!stored) return false;
  if (stored->is(json::Type::array) && !field.type.array) return true;  // kept as it is
  return stringify(to_value(column, field.type)) == stored->text();
}

}  // namespace

std::optional<std::string> stored_reply(const Bucket& bucket, const Row& row) {
  constexpr std::size_t kKeptMost = 1 << 20;  // what is larger is rare, and its memory is not kept
  thread_local json::Document kept;
  json::Document large;
  json::Document& document = row.value.size() <= kKeptMost ? kept : large;
  if (row.id > kWholeMost || document.parse(row.value) || !document.root().is(json::Type::object))
    return std::nullopt;
  const json::Value root = document.root();
  for (std::size_t i = 0; i < bucket.fields.size(); ++i) {
    const IndexField& field = bucket.fields[i];
    if (!bucket.reindexing(field.name) && !agrees(root.find(field.name), field, row.columns[i]))
      return std::nullopt;
  }
  std::string reply = "{\"bucket\":";
  reply.reserve(row.value.size() + row.key.size() + 256);
  stringify(reply, JsValue(bucket.name));
  reply += ",\"key\":";
  stringify(reply, JsValue(row.key));
  reply += ",\"value\":";
  reply += row.value;
  reply += ",\"_id\":" + std::to_string(row.id) + ",\"_etag\":";
  stringify(reply, JsValue(row.etag));
  reply += ",\"_mtime\":" + std::to_string(row.mtime_ms) + ",\"_txn_snap\":";
  reply += row.txn_snap ? std::to_string(*row.txn_snap) : "null";
  reply += ",\"_count\":null}";
  return reply;
}

Result<std::vector<Column>> columns_of(const Bucket& bucket, const JsObject& value) {
  std::vector<Column> columns(bucket.fields.size());
  for (std::size_t i = 0; i < bucket.fields.size(); ++i) {
    const IndexField& field = bucket.fields[i];
    const JsValue* member = value.find(field.name);
    if (member == nullptr) continue;
    auto column = convert(field.name, field.type, *member);
    if (!column) return column.error();
    columns[i] = *std::move(column);
  }
  return columns;
}

Result<JsObject> object_of(const Bucket& bucket, const Row& row) {
  if (row.id > kWholeMost)
    return errors::bad_row(bucket.name, row.key,
                           "_id " + std::to_string(row.id) + " is beyond 2^53");
  auto stored = parse_object(row.value);
  if (!stored) return errors::bad_row(bucket.name, row.key, "its _value is no JSON object");
  JsObject object = *std::move(stored);
  for (std::size_t i = 0; i < bucket.fields.size(); ++i)
    if (!bucket.reindexing(bucket.fields[i].name))
      overlay(object, bucket.fields[i], row.columns[i]);
  return object;
}

JsObject reply_of(const Bucket& bucket, const Row& row, JsObject object, Count count) {
  JsObject reply;
  reply.set("bucket", bucket.name);
  reply.set("key", row.key);
  reply.set("value", std::move(object));
  reply.set("_id", row.id);
  reply.set("_etag", row.etag);
  reply.set("_mtime", row.mtime_ms);
  reply.set("_txn_snap", number_or_null(row.txn_snap));
  if (std::holds_alternative<NullCount>(count)) reply.set("_count", JsValue());
  if (const auto* number = std::get_if<std::int64_t>(&count)) reply.set("_count", *number);
  return reply;
}

void drop_internal_members(JsObject& object) {
  for (const char* name : {"_id", "_txn_snap", "_etag", "_key", "_mtime", "_count"})
    object.erase(name);
}

Result<std::string> stored_key(const std::string& key) {
  if (key.find('\0') != std::string::npos)
    return errors::database("invalid byte sequence for encoding \"UTF8\": 0x00");
  return text::well_formed(key);
}

Result<Row> new_row(const Bucket& bucket, const std::string& key, const JsObject& value,
                    std::int64_t now_ms) {
  Row row;
  row.key = key;
  auto columns = columns_of(bucket, value);
  if (!columns) return columns.error();
  row.columns = *std::move(columns);
  row.value = stringify(value);
  row.etag = etag_of(row.value);
  auto vnode = convert_vnode(value);
  if (!vnode) return vnode.error();
  row.vnode = *vnode;
  row.mtime_ms = now_ms;
  if (!bucket.reindex.is_null()) row.version = bucket.version;
  return row;
}

std::optional<std::string> etag_to_delete(const JsValue& options) {
  const JsValue* wanted = options.get("etag");
  if (wanted == nullptr) wanted = options.get("_etag");
  if (wanted == nullptr || wanted->string() == nullptr || !wanted->truthy()) return std::nullopt;
  return *wanted->string();
}

Failed check_writable(const Bucket& bucket) {
  if (bucket.triggers != Triggers::unknown) return std::nullopt;
  return errors::unknown_trigger(bucket.name);
}

}  // namespace objects
