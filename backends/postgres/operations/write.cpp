#include "backends/postgres/operations/write.hpp"

#include <limits>

#include "objects/delete_log.hpp"
#include "objects/errors.hpp"
#include "objects/etag.hpp"

namespace backends::postgres {
namespace {

using objects::JsObject;
using objects::JsValue;

/// What Manta's trigger writes besides; `value` null: a delete.
std::optional<objects::DeleteLogRow> log_of(Work& work, const BucketTable& table,
                                            const JsValue& options, const JsObject* value) {
  if (table.bucket.triggers != objects::Triggers::record_delete_log) return std::nullopt;
  return objects::record_delete_log(options.get("headers"), value, work.now_ms);
}

Log kind_of(const std::optional<objects::DeleteLogRow>& log) {
  if (!log) return Log::none;
  return log->indexed ? Log::delete_log : Log::fastdelete_queue;
}

void add_log(Parameters& parameters, const std::optional<objects::DeleteLogRow>& log,
             std::optional<std::string> mtime) {
  if (!log) return;
  parameters.emplace_back(log->key);
  parameters.emplace_back(log->value);
  parameters.emplace_back(objects::etag_of(log->value));
  if (mtime) parameters.push_back(std::move(mtime));
  if (log->indexed) parameters.emplace_back(log->object_id);
}

/// The newest version of a row that may be overwritten by one made for `table`.
std::string newest_version(const Work& work, const BucketTable& table) {
  const JsValue* version = table.bucket.options.find("version");
  const double* number = version == nullptr ? nullptr : version->number();
  if (work.any_version || number == nullptr || *number > std::numeric_limits<std::int32_t>::max())
    return std::to_string(std::numeric_limits<std::int32_t>::max());
  return std::to_string(static_cast<std::int64_t>(*number));
}

}  // namespace

Write put_write(Work& work, const BucketTable& table, const std::string& key, const JsObject& value,
                const objects::Row& row, const JsValue& options) {
  const auto log = log_of(work, table, options, &value);
  const WriteShapes& shapes = table.shapes(kind_of(log));
  const JsValue* wanted = options.get("etag");
  Write write;
  write.key = key;
  write.stored = row.key;
  write.etag = row.etag;
  write.step.parameters = put_parameters(table, row);
  if (table.has_version) write.step.parameters.emplace_back(newest_version(work, table));
  if (wanted == nullptr) {
    write.step.use(shapes.put);
  } else if (wanted->is_null()) {
    write.step.use(shapes.put_new);
    write.expected = "null";
    write.expects_none = true;
  } else {
    write.step.use(shapes.put_known);
    write.expected = *wanted->string();
    write.step.parameters.emplace_back(write.expected);
  }
  add_log(write.step.parameters, log, std::nullopt);
  return write;
}

Write erase_write(Work& work, const BucketTable& table, const std::string& key,
                  const JsValue& options) {
  if (const auto error = objects::check_writable(table.bucket)) throw RpcError{*error, true};
  const auto stored = objects::stored_key(key);
  if (!stored) throw RpcError{stored.error()};
  const auto log = log_of(work, table, options, nullptr);
  const WriteShapes& shapes = table.shapes(kind_of(log));
  Write write;
  write.puts = false;
  write.key = key;
  write.stored = *stored;
  write.expected = objects::etag_to_delete(options);
  write.step.use(write.expected ? shapes.erase_known : shapes.erase);
  write.step.parameters = parameters_of(*stored);
  if (write.expected) write.step.parameters.emplace_back(write.expected);
  add_log(write.step.parameters, log, std::to_string(work.now_ms));
  return write;
}

bool written(const BucketTable& table, const Write& write, const Rows& rows) {
  if (rows.columns() == 0) return true;  // an unconditional put's plainest shape
  if (rows.text(0, 1) != "0") return true;
  if (!rows.null(0, 2) && rows.text(0, 2) == "t") throw NewerRow{};
  const auto actual = rows.value(0, 0);
  if (!write.puts && !actual)
    throw RpcError{objects::errors::object_not_found(table.bucket.name, write.key)};
  if (write.expects_none && !actual) return false;
  throw RpcError{objects::errors::etag_conflict(
      table.bucket.name, write.key, write.expected.value_or("null"), actual.value_or("null"))};
}

}  // namespace backends::postgres
