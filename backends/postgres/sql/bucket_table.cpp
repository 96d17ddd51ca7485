#include "backends/postgres/sql/bucket_table.hpp"

#include <charconv>

#include "backends/postgres/sql/column_text.hpp"
#include "backends/postgres/wire/identifier.hpp"
#include "json/document.hpp"

namespace backends::postgres {
namespace {

using objects::JsArray;
using objects::JsObject;
using objects::JsValue;

JsValue parse_json(std::string_view text) {
  json::Document document;
  if (document.parse(text)) return {};
  return objects::parse_value(document.root());
}

std::int64_t whole_number(std::string_view text) {
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

/// Evaluated once, before any row is looked at. Each version of a row has another xmin, and keeps
/// it.
std::string unchanged(const std::string& bucket, std::string_view xmin) {
  std::string name;
  for (const char c : bucket) name += c == '\'' ? std::string("''") : std::string(1, c);
  return " AND 1 / (EXISTS (SELECT FROM buckets_config c WHERE c.name = '" + name +
         "' AND c.xmin = '" + std::string(xmin) + "'::xid))::integer = 1";
}

}  // namespace

const char* const kBucketColumns =
    "c.name, c.index, c.pre, c.post, c.options, floor(extract(epoch from c.mtime) * 1000)::bigint, "
    "to_jsonb(c)->>'reindex_active', "
    "to_jsonb(c) ? 'reindex_active'";

const Statement kLoadBucket{
    "load_bucket",
    std::string("SELECT ") + kBucketColumns +
        ", (SELECT string_agg(a.attname, ' ') FROM pg_attribute a WHERE a.attrelid = "
        "to_regclass($2::text) AND a.attnum > 0 AND NOT a.attisdropped)"
        ", (SELECT i.indisvalid FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE "
        "i.indrelid = to_regclass($2::text) AND x.relname = $3::text)"
        ", to_regclass('moray_router.reshard_side') IS NOT NULL, c.xmin::text"
        " FROM buckets_config c WHERE c.name = $1::text"};

Parameters load_parameters(const std::string& bucket) {
  std::string index = identifier(bucket + "__idx_idx");
  return {bucket, identifier(bucket), index.substr(1, index.size() - 2)};
}

objects::Bucket bucket_of(const Rows& rows, int row) {
  objects::Bucket bucket;
  bucket.name = rows.text(row, 0);
  const auto object = [&](int column) {
    const JsValue value = parse_json(rows.text(row, column));
    return value.object() == nullptr ? JsObject() : *value.object();
  };
  const auto array = [&](int column) {
    const JsValue value = parse_json(rows.text(row, column));
    return value.array() == nullptr ? JsArray() : *value.array();
  };
  bucket.index = object(1);
  bucket.pre = array(2);
  bucket.post = array(3);
  bucket.options = object(4);
  if (!bucket.options.contains("version"))
    bucket.options.set("version", 0);  // rows of very old morays
  bucket.mtime.ms = whole_number(rows.text(row, 5));
  if (!rows.null(row, 6)) bucket.reindex = parse_json(rows.text(row, 6));
  objects::derive(bucket);
  return bucket;
}

std::shared_ptr<const BucketTable> bucket_table(const Rows& rows, int row) {
  auto table = std::make_shared<BucketTable>();
  table->bucket = bucket_of(rows, row);
  table->table = identifier(table->bucket.name);
  const std::string columns = " " + std::string(rows.text(row, 8)) + " ";
  table->has_version = columns.find(" _rver ") != std::string::npos;
  table->extended_id = columns.find(" _idx ") != std::string::npos && rows.text(row, 9) == "t";
  table->hides = rows.text(row, 10) == "t";
  table->unchanged = unchanged(table->bucket.name, rows.text(row, 11));
  const std::string get =
      "SELECT " + table->row_columns() + " FROM " + table->table + " WHERE _key = $1::text";
  table->get = named(get + table->unchanged);
  table->get_bare = named(get);
  table->writes[0] = write_shapes(*table, Log::none);
  if (table->bucket.triggers == objects::Triggers::record_delete_log)
    for (const Log log : {Log::delete_log, Log::fastdelete_queue})
      table->writes[static_cast<std::size_t>(log)] = write_shapes(*table, log);
  return table;
}

std::string BucketTable::row_columns() const {
  std::string columns = "_key, _value, _etag, ";
  columns += extended_id ? "coalesce(_id, _idx)" : "_id";
  columns += ", _mtime, _vnode, _txn_snap, ";
  columns += has_version ? "_rver" : "NULL::integer";
  for (const objects::IndexField& field : bucket.fields) columns += ", " + identifier(field.column);
  return columns;
}

objects::Row BucketTable::row_of(const Rows& rows, int row, int column) const {
  objects::Row result;
  result.key = rows.text(row, column);
  result.value = rows.text(row, column + 1);
  result.etag = rows.text(row, column + 2);
  result.id = whole_number(rows.text(row, column + 3));
  result.mtime_ms = whole_number(rows.text(row, column + 4));
  if (!rows.null(row, column + 5)) result.vnode = whole_number(rows.text(row, column + 5));
  if (!rows.null(row, column + 6)) result.txn_snap = whole_number(rows.text(row, column + 6));
  if (!rows.null(row, column + 7))
    result.version = static_cast<double>(whole_number(rows.text(row, column + 7)));
  int at = column + 8;
  for (const objects::IndexField& field : bucket.fields) {
    result.columns.push_back(rows.null(row, at) ? objects::Column()
                                                : parse_column(rows.text(row, at), field.type));
    ++at;
  }
  return result;
}

Parameters put_parameters(const BucketTable& table, const objects::Row& row) {
  const auto number = [](const auto& value) -> std::optional<std::string> {
    if (!value) return std::nullopt;
    return std::to_string(static_cast<std::int64_t>(*value));
  };
  Parameters parameters{row.key,           row.value,
                        row.etag,          std::to_string(row.mtime_ms),
                        number(row.vnode), number(row.txn_snap)};
  if (table.has_version) parameters.push_back(number(row.version));
  for (std::size_t i = 0; i < row.columns.size(); ++i) {
    if (objects::is_null(row.columns[i]))
      parameters.emplace_back(std::nullopt);
    else
      parameters.push_back(objects::to_postgres(row.columns[i], table.bucket.fields[i].type));
  }
  return parameters;
}

}  // namespace backends::postgres
