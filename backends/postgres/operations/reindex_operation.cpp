// reindexObjects: fills the columns that an updateBucket added, some rows at a time.
#include <charconv>

#include "backends/postgres/operations/operations.hpp"
#include "objects/errors.hpp"

namespace backends::postgres {
namespace {

using objects::JsArray;
using objects::JsObject;
using objects::JsValue;

/// Stores what clients read of the row, converted for every field. Etag and time stay.
Task<bool> reindex_row(Connection& connection, const BucketTable& table, objects::Row row) {
  const auto object = objects::object_of(table.bucket, row);
  if (!object) throw RpcError{object.error()};
  auto columns = objects::columns_of(table.bucket, *object);
  if (!columns) throw RpcError{columns.error()};
  row.columns = *std::move(columns);
  row.value = objects::stringify(*object);
  row.version = table.bucket.version;
  Parameters parameters = put_parameters(table, row);
  if (table.has_version) parameters.emplace_back(objects::number_text(table.bucket.version));
  rows_of(co_await connection.run(table.shapes(Log::none).put, std::move(parameters)));
  co_return true;
}

bool nothing_to_do(const objects::Bucket& bucket) {
  return bucket.reindex.object() == nullptr || bucket.reindex.object()->empty();
}

}  // namespace

Values reindex_objects(Work& work, const JsArray& arguments) {
  const std::string& name = *arguments[0].string();
  const double count = *arguments[1].number();
  if (count < 1)
    throw RpcError{
        objects::errors::invalid_argument("count " + objects::number_text(count) + " < 1")};
  const JsValue* no_count = arguments[2].get("no_count");
  const bool counting = no_count == nullptr || !no_count->truthy();
  const auto run = [&](Connection& connection) -> Task<JsObject> {
    const auto table = co_await work.buckets.load(connection, name);
    JsObject value;
    if (nothing_to_do(table->bucket)) {
      value.set("processed", 0);
      co_return value;
    }
    const std::string outdated = " FROM " + table->table + " WHERE _rver IS NULL OR _rver < " +
                                 objects::number_text(table->bucket.version);
    const Rows rows = rows_of(
        co_await connection.run(once("SELECT " + table->row_columns() + outdated + " LIMIT " +
                                     objects::number_text(count) + " FOR UPDATE"),
                                Parameters()));
    for (int i = 0; i < rows.count(); ++i)
      co_await reindex_row(connection, *table, table->row_of(rows, i));
    if (rows.count() == 0)
      rows_of(co_await connection.run(
          once("UPDATE buckets_config SET reindex_active = '{}' WHERE name = $1::text"),
          parameters_of(name)));
    value.set("processed", rows.count());
    if (counting) {
      const Rows left =
          rows_of(co_await connection.run(once("SELECT count(*)" + outdated), Parameters()));
      std::int64_t remaining = 0;
      const std::string_view text = left.text(0, 0);
      std::from_chars(text.data(), text.data() + text.size(), remaining);
      value.set("remaining", remaining);
    }
    co_return value;
  };
  JsObject value = co_await in_transaction<JsObject>(work, run);
  if (value.find("processed")->number() != nullptr && *value.find("processed")->number() == 0)
    work.buckets.changed(name);
  co_return one_value(std::move(value));
}

}  // namespace backends::postgres
