// putObject, getObject, delObject.
#include "backends/embedded/operations.hpp"
#include "objects/convert.hpp"
#include "objects/delete_log.hpp"
#include "objects/errors.hpp"
#include "objects/etag.hpp"
#include "objects/text.hpp"

namespace backends::embedded {
namespace {

using objects::Failed;
using objects::JsArray;
using objects::JsObject;
using objects::JsValue;
using objects::Row;

/// null: there must be no row; a text, even an empty one: the stored etag must equal it.
Failed check_put_etag(const std::string& bucket, const std::string& key, const JsValue& options,
                      const std::optional<Row>& before) {
  const JsValue* wanted = options.get("etag");
  if (wanted == nullptr) return std::nullopt;
  const std::string actual = before ? before->etag : "null";
  if (wanted->is_null() ? !before.has_value() : before && *wanted->string() == before->etag)
    return std::nullopt;
  return objects::errors::etag_conflict(bucket, key, wanted->is_null() ? "null" : *wanted->string(),
                                        actual);
}

Failed insert_log_row(const Work& work, const objects::DeleteLogRow& log) {
  auto table = work.tables.find(work.transaction, log.bucket);
  if (!table) return objects::errors::database("relation \"" + log.bucket + "\" does not exist");
  if (read_row(work.transaction, **table, log.key))
    return objects::errors::unique_attribute("_key", log.key);
  Row row;
  row.key = log.key;
  row.value = log.value;
  row.etag = objects::etag_of(log.value);
  row.mtime_ms = work.now_ms;
  row.id = next_id(work.transaction, **table);
  row.columns.resize((*table)->bucket.fields.size());
  for (std::size_t i = 0; log.indexed && i < row.columns.size(); ++i)
    if ((*table)->bucket.fields[i].column == "objectid")
      row.columns[i] = objects::Element(log.object_id);
  return write_row(work.transaction, **table, std::nullopt, row);
}

/// `value` null: a delete.
Failed run_triggers(const Work& work, const Table& table, const JsValue& options,
                    const JsObject* value) {
  if (table.bucket.triggers != objects::Triggers::record_delete_log) return std::nullopt;
  const auto log = objects::record_delete_log(options.get("headers"), value, work.now_ms);
  return log ? insert_log_row(work, *log) : Failed();
}

}  // namespace

objects::Result<std::string> put(const Work& work, const std::string& bucket,
                                 const std::string& key, const JsObject& value,
                                 const JsValue& options) {
  auto table = work.tables.find(work.transaction, bucket);
  if (!table) return table.error();
  if (auto error = objects::check_writable((*table)->bucket)) return *error;
  auto stored = objects::stored_key(key);
  if (!stored) return stored.error();
  const auto before = read_row(work.transaction, **table, *stored);
  if (auto error = check_put_etag(bucket, key, options, before)) return *error;
  auto row = objects::new_row((*table)->bucket, *stored, value, work.now_ms);
  if (!row) return row.error();
  row->id = before ? before->id : next_id(work.transaction, **table);
  if ((*table)->bucket.guarantee_order) row->txn_snap = next_serial(work.transaction, **table);
  if (auto error = write_row(work.transaction, **table, before, *row)) return *error;
  if (auto error = run_triggers(work, **table, options, &value)) return *error;
  return row->etag;
}

Failed erase(const Work& work, const std::string& bucket, const std::string& key,
             const JsValue& options) {
  auto table = work.tables.find(work.transaction, bucket);
  if (!table) return table.error();
  auto stored = objects::stored_key(key);
  if (!stored) return stored.error();
  const auto before = read_row(work.transaction, **table, *stored);
  if (!before) return objects::errors::object_not_found(bucket, key);
  const auto wanted = objects::etag_to_delete(options);
  if (wanted && *wanted != before->etag)
    return objects::errors::etag_conflict(bucket, key, *wanted, before->etag);
  if (auto error = objects::check_writable((*table)->bucket)) return error;
  erase_row(work.transaction, **table, *before);
  return run_triggers(work, **table, options, nullptr);
}

Values put_object(const Work& work, const JsArray& arguments) {
  auto etag = put(work, *arguments[0].string(), *arguments[1].string(), *arguments[2].object(),
                  arguments[3]);
  if (!etag) return etag.error();
  JsObject value;
  value.set("etag", *std::move(etag));
  return JsArray{std::move(value)};
}

Values get_object(const Work& work, const JsArray& arguments) {
  const std::string& bucket = *arguments[0].string();
  const std::string& key = *arguments[1].string();
  auto table = work.tables.find(work.transaction, bucket);
  if (!table) return table.error();
  auto stored = objects::stored_key(key);
  if (!stored) return stored.error();
  const auto row = read_row(work.transaction, **table, *stored);
  if (!row) return objects::errors::object_not_found(bucket, key);
  auto object = objects::object_of((*table)->bucket, *row);
  if (!object) return object.error();
  return JsArray{
      objects::reply_of((*table)->bucket, *row, *std::move(object), objects::NullCount{})};
}

Values del_object(const Work& work, const JsArray& arguments) {
  if (auto error = erase(work, *arguments[0].string(), *arguments[1].string(), arguments[2]))
    return *error;
  return JsArray{JsObject()};
}

}  // namespace backends::embedded
