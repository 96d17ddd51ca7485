// reindexObjects: fills the columns that an updateBucket added, some rows at a time.
#include "backends/embedded/operations.hpp"
#include "objects/errors.hpp"

namespace backends::embedded {
namespace {

using objects::JsArray;
using objects::JsObject;
using objects::JsValue;
using objects::Row;

bool out_of_date(const Table& table, const Row& row) {
  return !row.version || *row.version < table.bucket.version;
}

/// Up to `count` rows that are not at the bucket's version, and how many more there are.
struct Outdated {
  std::vector<Row> rows;
  std::int64_t left = 0;
};
Outdated find_outdated(const Work& work, const Table& table, std::uint64_t count, bool count_all) {
  Outdated outdated;
  work.transaction.scan(keys::rows(table.id), [&](std::string_view key, std::string_view text) {
    Row row = decode_row(table, keys::row_key(key), text);
    if (!out_of_date(table, row)) return true;
    if (outdated.rows.size() < count) {
      work.transaction.charge(2 * text.size());
      outdated.rows.push_back(std::move(row));
    } else {
      ++outdated.left;
    }
    return count_all || outdated.rows.size() < count;
  });
  return outdated;
}

/// Stores what clients read of the row, converted for every field. Etag and time stay.
objects::Failed reindex(const Work& work, const Table& table, const Row& before) {
  const auto object = objects::object_of(table.bucket, before);
  if (!object) return object.error();
  auto columns = objects::columns_of(table.bucket, *object);
  if (!columns) return columns.error();
  Row row = before;
  row.columns = *std::move(columns);
  row.value = objects::stringify(*object);
  row.version = table.bucket.version;
  return write_row(work.transaction, table, before, row);
}

bool nothing_to_do(const objects::Bucket& bucket) {
  return bucket.reindex.object() == nullptr || bucket.reindex.object()->empty();
}

void finish(const Work& work, const Table& table) {
  Table done = table;
  done.bucket.reindex = JsObject();
  work.transaction.put(keys::bucket(done.bucket.name), encode(done));
}

}  // namespace

Values reindex_objects(const Work& work, const JsArray& arguments) {
  const double count = *arguments[1].number();
  if (count < 1)
    return objects::errors::invalid_argument("count " + objects::number_text(count) + " < 1");
  auto table = work.tables.find(work.transaction, *arguments[0].string());
  if (!table) return table.error();
  JsObject value;
  if (nothing_to_do((*table)->bucket)) {
    value.set("processed", 0);
    return JsArray{std::move(value)};
  }
  const JsValue* no_count = arguments[2].get("no_count");
  const bool counting = no_count == nullptr || !no_count->truthy();
  const Outdated outdated =
      find_outdated(work, **table, static_cast<std::uint64_t>(count), counting);
  for (const Row& row : outdated.rows)
    if (auto error = reindex(work, **table, row)) return *error;
  if (outdated.rows.empty()) finish(work, **table);
  value.set("processed", static_cast<std::int64_t>(outdated.rows.size()));
  if (counting) value.set("remaining", outdated.left);
  return JsArray{std::move(value)};
}

}  // namespace backends::embedded
