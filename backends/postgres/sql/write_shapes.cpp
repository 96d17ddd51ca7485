#include "backends/postgres/sql/write_shapes.hpp"

#include <utility>
#include <vector>

#include "backends/postgres/sql/bucket_table.hpp"
#include "backends/postgres/sql/column_text.hpp"
#include "backends/postgres/wire/identifier.hpp"
#include "objects/etag.hpp"

namespace backends::postgres {
namespace {

/// Numbers a statement's parameters.
class Numbers {
 public:
  std::string next(const std::string& type) { return "$" + std::to_string(++last_) + "::" + type; }

 private:
  int last_ = 0;
};

/// The parts that puts of a bucket share.
struct Put {
  std::string names = "_key", values, sets, excluded;
  std::string mtime;
  std::string newest;  ///< the newest version that may be overwritten; empty: the table has none
};

Put put_parts(const BucketTable& table, Numbers& numbers) {
  std::vector<std::pair<std::string, std::string>> columns{{"_value", "text"},
                                                           {"_etag", "bpchar"},
                                                           {"_mtime", "bigint"},
                                                           {"_vnode", "bigint"},
                                                           {"_txn_snap", "integer"}};
  if (table.has_version) columns.emplace_back("_rver", "integer");
  for (const objects::IndexField& field : table.bucket.fields)
    columns.emplace_back(identifier(field.column), sql_type(field.type));
  Put put;
  put.values = numbers.next("text");
  for (const auto& [name, type] : columns) {
    const std::string parameter = numbers.next(type);
    if (name == "_mtime") put.mtime = parameter;
    put.names += ", " + name;
    put.values += ", " + parameter;
    put.sets += (put.sets.empty() ? "" : ", ") + name + " = " + parameter;
    put.excluded += (put.excluded.empty() ? "" : ", ") + name + " = excluded." + name;
  }
  if (table.has_version) put.newest = numbers.next("integer");
  return put;
}

/// `, l AS (…)`, a row for the log where `written` holds.
std::string log_part(Log log, Numbers& numbers, const std::string& mtime,
                     const std::string& written) {
  if (log == Log::none) return "";
  const bool indexed = log == Log::delete_log;
  std::string values =
      numbers.next("text");  // step by step: a sum says nothing of its operands' order
  values += ", " + numbers.next("text");
  values += ", " + numbers.next("bpchar") + ", ";
  values += mtime.empty() ? numbers.next("bigint") : mtime;
  if (indexed) values += ", " + numbers.next("text");
  return std::string(", l AS (INSERT INTO ") +
         (indexed ? "manta_delete_log" : "manta_fastdelete_queue") +
         " (_key, _value, _etag, _mtime" + (indexed ? ", objectid" : "") + ") SELECT " + values +
         " WHERE " + written + ")";
}

/// The row is locked before its etag is compared: without that, what is read and what is compared
/// differ.
std::string current(const BucketTable& table, bool version) {
  return "WITH cur AS (SELECT _etag::text" + std::string(version ? ", _rver" : "") + " FROM " +
         table.table + " WHERE _key = $1::text" + table.unchanged + " FOR UPDATE), ";
}

/// Where a table has no `_rver`, its statements must fail once another process gives it one: the
/// name is ambiguous from then on, and that costs nothing until then.
constexpr const char* kNoVersion = "(SELECT NULL::integer AS _rver) none";

/// Update first: an upsert alone would draw a sequence value for every update.
Statement put_shape(const BucketTable& table, Log log) {
  Numbers numbers;
  const Put put = put_parts(table, numbers);
  const std::string& at = table.table;
  const std::string newer =
      table.has_version ? "(t._rver IS NULL OR t._rver <= " + put.newest + ")" : "_rver IS NULL";
  const std::string update = "WITH u AS (UPDATE " + at + " t SET " + put.sets +
                             (table.has_version ? "" : std::string(" FROM ") + kNoVersion) +
                             " WHERE t._key = $1::text AND " + newer + table.unchanged +
                             " RETURNING 1)";
  const std::string insert =
      "INSERT INTO " + at + " AS t (" + put.names + ") SELECT " + put.values +
      " WHERE NOT EXISTS (SELECT 1 FROM u) ON CONFLICT (_key) DO UPDATE SET " + put.excluded;
  if (log == Log::none && !table.has_version) return named(update + " " + insert);
  const std::string logged =
      log_part(log, numbers, put.mtime, "EXISTS (SELECT 1 FROM u) OR EXISTS (SELECT 1 FROM i)");
  return named(update + ", i AS (" + insert + (table.has_version ? " WHERE " + newer : "") +
               " RETURNING 1)" + logged +
               " SELECT NULL::text, n, n = 0 FROM (SELECT (SELECT count(*) FROM u) + (SELECT "
               "count(*) FROM i) AS n) a");
}

Statement put_new_shape(const BucketTable& table, Log log) {
  Numbers numbers;
  const Put put = put_parts(table, numbers);
  std::string sql = current(table, false) + "i AS (INSERT INTO " + table.table + " (" + put.names +
                    ") SELECT " + put.values + " WHERE NOT EXISTS (SELECT 1 FROM cur)" +
                    (put.newest.empty() ? "" : " AND " + put.newest + " IS NOT NULL") +
                    " ON CONFLICT (_key) DO NOTHING RETURNING 1)";
  sql += log_part(log, numbers, put.mtime, "EXISTS (SELECT 1 FROM i)");
  return named(sql + " SELECT (SELECT _etag FROM cur), (SELECT count(*) FROM i), false");
}

Statement put_known_shape(const BucketTable& table, Log log) {
  Numbers numbers;
  const Put put = put_parts(table, numbers);
  const std::string etag = numbers.next("text");
  std::string sql = current(table, table.has_version) + "u AS (UPDATE " + table.table + " t SET " +
                    put.sets + " FROM cur" +
                    (table.has_version ? "" : std::string(", ") + kNoVersion) +
                    " WHERE t._key = $1::text AND cur._etag = " + etag + " AND " +
                    (table.has_version ? "(cur._rver IS NULL OR cur._rver <= " + put.newest + ")"
                                       : "_rver IS NULL") +
                    " RETURNING 1)";
  sql += log_part(log, numbers, put.mtime, "EXISTS (SELECT 1 FROM u)");
  return named(
      sql + " SELECT (SELECT _etag FROM cur), (SELECT count(*) FROM u), " +
      (table.has_version ? "(SELECT _rver > " + put.newest + " FROM cur)" : std::string("false")));
}

Statement erase_shape(const BucketTable& table, Log log, bool known) {
  Numbers numbers;
  const std::string key = numbers.next("text");
  std::string sql = current(table, false) + "d AS (DELETE FROM " + table.table +
                    " t USING cur WHERE t._key = " + key;
  if (known) sql += " AND cur._etag = " + numbers.next("text");
  sql += " RETURNING 1)" + log_part(log, numbers, "", "EXISTS (SELECT 1 FROM d)");
  return named(sql + " SELECT (SELECT _etag FROM cur), (SELECT count(*) FROM d), false");
}

}  // namespace

Statement named(std::string sql) {
  const std::string name =
      "s" + objects::etag_of(sql) + objects::etag_of("b" + sql + "e") + std::to_string(sql.size());
  return {name, std::move(sql)};
}

WriteShapes write_shapes(const BucketTable& table, Log log) {
  return {put_shape(table, log), put_new_shape(table, log), put_known_shape(table, log),
          erase_shape(table, log, false), erase_shape(table, log, true)};
}

}  // namespace backends::postgres
