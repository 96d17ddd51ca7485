#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backends/postgres/sql/column_text.hpp"
#include "backends/postgres/sql/sql_value.hpp"
#include "json/document.hpp"
#include "objects/row.hpp"
#include "tests/fuzz/require.hpp"

// Texts as a PostgreSQL server may give them: the first byte chooses of what. A server that
// somebody else writes to gives anything; what a router has written itself is read back as it was.

namespace {

namespace postgres = backends::postgres;
using objects::Bucket;
using objects::Column;
using objects::IndexType;
using objects::JsObject;
using objects::JsValue;

constexpr std::size_t kBytesMost = 1 << 16;

std::optional<JsValue> parsed(std::string_view text) {
  json::Document document;
  if (document.parse(text)) return std::nullopt;
  return objects::parse_value(document.root());
}

std::vector<IndexType> all_types() {
  std::vector<IndexType> types;
  for (const std::string_view name : objects::index_type_names())
    types.push_back(*objects::index_type_named(name));
  return types;
}

/// A column's text is read, written and read again, by way of PostgreSQL and of LevelDB.
void check_column(std::string_view text, IndexType type) {
  const Column column = postgres::parse_column(text, type);
  require(!objects::stringify(objects::to_value(column, type)).empty(), "a column has a value");
  if (objects::is_null(column)) return;
  const std::string written = objects::to_postgres(column, type);
  // Compared as texts: a NaN is not equal to itself.
  const Column again = postgres::parse_column(written, type);
  require(again.index() == column.index() && objects::to_postgres(again, type) == written,
          "what was written for PostgreSQL reads back: " + written);
  if (type.scalar == objects::Scalar::ip && written.find('/') != std::string::npos)
    return;  // no put makes an address with a prefix
  const Column kept = objects::column_of(objects::to_stored(column, type), type);
  require(kept.index() == column.index() && objects::to_postgres(kept, type) == written,
          "what was written for LevelDB reads back: " + written);
}

void check_timestamp(std::string_view text) {
  const auto time = postgres::parse_timestamp(text);
  if (!time) return;
  require(postgres::parse_timestamp(objects::to_postgres(*time)) == time,
          "a time that was written for PostgreSQL reads back");
  require(objects::parse_loose_date(objects::to_iso(*time)) == time,
          "a time in ISO form reads back");
}

/// The types that sql_value.cpp knows, and some that it doesn't.
constexpr Oid kTypes[] = {16,   17,   20,   21,   23,   26,   114,  700,  701,  1082, 1114,
                          1184, 1186, 1700, 2278, 3802, 3910, 1000, 1005, 1007, 1016, 1021,
                          1022, 1028, 1115, 1182, 1185, 1231, 651,  1009, 1014, 1015, 1040,
                          1041, 2951, 1003, 25,   869,  650,  829,  3906, 3911, 199,  3807};

/// A result of one row, whose columns all have that text, one of each type.
postgres::Rows row_of(std::string_view text) {
  constexpr int kCount = static_cast<int>(std::size(kTypes));
  PGresult* result = PQmakeEmptyPGresult(nullptr, PGRES_TUPLES_OK);
  std::vector<std::string> names;
  for (const Oid type : kTypes) names.push_back("of_" + std::to_string(type));
  std::vector<PGresAttDesc> columns(kCount);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    columns[i].name = names[i].data();
    columns[i].typid = kTypes[i];
  }
  require(PQsetResultAttrs(result, kCount, columns.data()) != 0, "libpq makes columns");
  std::string copy(text);
  for (int i = 0; i < kCount; ++i)
    require(PQsetvalue(result, 0, i, copy.data(), static_cast<int>(copy.size())) != 0,
            "libpq makes a value");
  return postgres::Rows(result);
}

void check_sql_value(std::string_view text) {
  const JsObject row = postgres::sql_row(row_of(text), 0);
  require(row.size() == std::size(kTypes), "a row has a member for each column");
  require(parsed(objects::stringify(row)).has_value(), "a row is JSON");
}

/// A client's JSON as a parameter; arrays of texts are what an array column reads.
void check_parameter(std::string_view text) {
  const auto value = parsed(text);
  if (!value) return;
  const auto parameter = postgres::sql_parameter(*value);
  require(parameter.has_value() != value->is_null(), "only null is NULL");
  if (value->array() == nullptr) return;
  for (const JsValue& each : *value->array())
    if (!each.is_null() && each.string() == nullptr) return;
  constexpr IndexType kTexts{objects::Scalar::string, true};
  require(objects::to_value(postgres::parse_column(*parameter, kTexts), kTexts) == *value,
          "an array of texts reads back: " + *parameter);
}

Bucket make_bucket() {
  auto bucket = objects::check_bucket("b", *parsed(R"({"index":{"s":{"type":"string"},
      "as":{"type":"[string]"},"n":{"type":"number"},"an":{"type":"[number]"},
      "b":{"type":"boolean"},"d":{"type":"date"},"r":{"type":"numrange"},"ip":{"type":"ip"},
      "new":{"type":"string"}},"options":{"version":2}})"));
  require(bucket.ok(), "the target's own bucket is one");
  bucket->reindex = *parsed(R"({"2":["new"]})");
  return *std::move(bucket);
}

/// What a moray or a router would have stored: no number that JSON.stringify would change.
bool as_stored(std::string_view text) {
  const auto value = parsed(text);
  return value && objects::stringify(*value) == text;
}

/// A `_value` and, each after a zero byte, its columns, in a row; without columns those that the
/// value fills.
void check_row(std::string_view bytes) {
  static const Bucket bucket = make_bucket();
  objects::Row row;
  row.key = "k";
  row.etag = "00000000";
  row.id = 1;
  row.value = bytes.substr(0, bytes.find('\0'));
  bytes.remove_prefix(row.value.size());
  const auto value = parsed(row.value);
  if (bytes.empty() && value && value->object() != nullptr) {
    auto columns = objects::columns_of(bucket, *value->object());
    if (!columns) return;
    row.columns = *std::move(columns);
  }
  while (row.columns.size() < bucket.fields.size()) {
    const IndexType type = bucket.fields[row.columns.size()].type;
    if (!bytes.empty()) bytes.remove_prefix(1);
    const std::string_view text = bytes.substr(0, bytes.find('\0'));
    row.columns.push_back(text.empty() ? Column() : postgres::parse_column(text, type));
    bytes.remove_prefix(text.size());
  }
  auto made = objects::object_of(bucket, row);
  const auto stored = objects::stored_reply(bucket, row);
  require(made.ok() == (value && value->object() != nullptr), "a JSON object is an object");
  require(made.ok() || !stored, "what is no object gets no reply");
  if (!made) return;
  const std::string reply =
      objects::stringify(objects::reply_of(bucket, row, *std::move(made), objects::NullCount{}));
  require(parsed(reply).has_value(), "a reply is JSON");
  if (!stored) return;
  require(parsed(*stored) == parsed(reply) || !as_stored(row.value),
          "both ways to a reply come to the same: " + *stored + " and " + reply);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1 || size > kBytesMost) return -1;
  static const std::vector<IndexType> types = all_types();
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (parsed(objects::stringify(JsValue(text))) != JsValue(text)) return -1;  // not UTF-8
  const std::size_t kind = data[0] % 32;
  if (kind == 31) {
    check_row(text);
    return 0;
  }
  if (text.find('\0') != std::string_view::npos) return -1;  // no text of PostgreSQL's has one
  if (kind < types.size())
    check_column(text, types[kind]);
  else if (kind < 22)
    check_sql_value(text);
  else if (kind < 26)
    check_parameter(text);
  else
    check_timestamp(text);
  return 0;
}
