#include "reshard/tables.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "backends/postgres/identifier.hpp"
#include "reshard/schema.hpp"

namespace reshard {
namespace {

using backends::postgres::identifier;
using backends::postgres::literal;
using backends::postgres::Rows;
using backends::postgres::Session;

constexpr const char* kBucketsConfig =
    "CREATE TABLE IF NOT EXISTS buckets_config (name text PRIMARY KEY, index text NOT NULL, pre "
    "text NOT NULL, post text NOT NULL, options text, "
    "mtime timestamp without time zone DEFAULT now() NOT NULL);\n";

std::string or_null(const std::optional<std::string>& text) {
  return text ? literal(*text) : "NULL";
}

bool has_column(Session& session, const std::string& table, const std::string& column) {
  return session
             .run(
                 "SELECT 1 FROM pg_attribute WHERE attrelid = to_regclass($1::text) AND attname = "
                 "$2 AND NOT attisdropped",
                 {table, column})
             .count() > 0;
}

std::string text(const Rows& rows, int row, int column) {
  return std::string(rows.text(row, column));
}

/// Ids are numbers whether of four bytes or eight.
std::string kind_of(const Table::Column& column) {
  return column.name == "_id" && column.type == "integer" ? "bigint" : column.type;
}

}  // namespace

const Table::Column* Table::column(const std::string& wanted) const {
  const auto found = std::find_if(columns.begin(), columns.end(),
                                  [&](const Column& each) { return each.name == wanted; });
  return found == columns.end() ? nullptr : &*found;
}

std::string Table::column_list() const {
  std::string list;
  for (const Column& each : columns) list += (list.empty() ? "" : ", ") + each.name;
  return list;
}

bool BucketConfig::same(const BucketConfig& other) const {
  const auto parsed = [](const std::string& json) {
    return nlohmann::json::parse(json, nullptr, false);
  };
  return name == other.name && parsed(index) == parsed(other.index) &&
         parsed(pre) == parsed(other.pre) && parsed(post) == parsed(other.post) &&
         parsed(options.value_or("null")) == parsed(other.options.value_or("null"));
}

std::vector<BucketConfig> bucket_configs(Session& session) {
  std::vector<BucketConfig> configs;
  if (session.run("SELECT 1 WHERE to_regclass('buckets_config') IS NOT NULL").count() == 0)
    return configs;
  const std::string reindex =
      has_column(session, "buckets_config", "reindex_active") ? "reindex_active" : "NULL::text";
  const Rows rows = session.run("SELECT name, index, pre, post, options, mtime, " + reindex +
                                " FROM buckets_config ORDER BY name COLLATE \"C\"");
  for (int i = 0; i < rows.count(); ++i)
    configs.push_back({text(rows, i, 0), text(rows, i, 1), text(rows, i, 2), text(rows, i, 3),
                       rows.value(i, 4), rows.value(i, 5), rows.value(i, 6)});
  return configs;
}

std::vector<BucketConfig> routed(std::vector<BucketConfig> all, const config::Buckets& kinds) {
  std::erase_if(all, [&](const BucketConfig& each) { return !is_routed(each.name, kinds); });
  return all;
}

bool is_routed(const std::string& bucket, const config::Buckets& kinds) {
  const auto in = [&](const std::vector<std::string>& names) {
    return std::find(names.begin(), names.end(), bucket) != names.end();
  };
  return !in(kinds.local) && !in(kinds.derived);
}

std::optional<Table> read_table(Session& session, const std::string& bucket) {
  Table table;
  table.bucket = bucket;
  table.name = identifier(bucket);
  const Rows relation = session.run(
      "SELECT greatest(reltuples, 0), pg_table_size(oid) FROM pg_class WHERE oid = "
      "to_regclass($1::text)",
      {table.name});
  if (relation.count() == 0) return std::nullopt;
  table.rows_about = std::stod(text(relation, 0, 0));
  table.bytes_about = std::stod(text(relation, 0, 1));
  const Rows columns = session.run(
      "SELECT quote_ident(attname), format_type(atttypid, atttypmod), attnotnull, "
      "coalesce(pg_get_expr(adbin, adrelid), '') FROM pg_attribute "
      "LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum WHERE attrelid = "
      "to_regclass($1::text) AND attnum > 0 AND NOT attisdropped ORDER BY "
      "attnum",
      {table.name});
  for (int i = 0; i < columns.count(); ++i)
    table.columns.push_back(
        {text(columns, i, 0), text(columns, i, 1), text(columns, i, 3), columns.text(i, 2) == "t"});
  const Rows indexes = session.run(
      "SELECT quote_ident(c.relname), pg_get_indexdef(i.indexrelid), i.indisunique, "
      "i.indisprimary, coalesce(pg_get_constraintdef(k.oid), '') "
      "FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid LEFT JOIN pg_constraint k ON "
      "k.conindid = i.indexrelid AND k.contype IN ('p', 'u') "
      "WHERE i.indrelid = to_regclass($1::text) AND i.indisvalid ORDER BY c.relname",
      {table.name});
  for (int i = 0; i < indexes.count(); ++i) {
    if (indexes.text(i, 3) == "t") {
      table.primary_key = text(indexes, i, 4);
      table.primary_key_name = text(indexes, i, 0);
    } else {
      table.indexes.push_back({text(indexes, i, 0), text(indexes, i, 1), indexes.text(i, 2) == "t",
                               text(indexes, i, 4)});
    }
  }
  const Rows triggers = session.run(
      "SELECT tgname, pg_get_triggerdef(oid), tgfoid::regprocedure::text, "
      "pg_get_functiondef(tgfoid) FROM pg_trigger WHERE tgrelid = to_regclass($1::text) "
      "AND NOT tgisinternal AND tgname NOT IN ($2, $3) ORDER BY tgname",
      {table.name, kRowTrigger, kTruncateTrigger});
  for (int i = 0; i < triggers.count(); ++i)
    table.triggers.push_back(
        {text(triggers, i, 0), text(triggers, i, 1), text(triggers, i, 2), text(triggers, i, 3)});
  return table;
}

std::string create_sql(const BucketConfig& config, const Table& table) {
  std::string sql = kBucketsConfig;
  if (config.reindex_active)
    sql += "ALTER TABLE buckets_config ADD COLUMN IF NOT EXISTS reindex_active text;\n";
  sql += std::string("INSERT INTO buckets_config (name, index, pre, post, options, mtime") +
         (config.reindex_active ? ", reindex_active" : "") + ") VALUES (" + literal(config.name) +
         ", " + literal(config.index) + ", " + literal(config.pre) + ", " + literal(config.post) +
         ", " + or_null(config.options) + ", " + or_null(config.mtime) +
         (config.reindex_active ? ", " + literal(*config.reindex_active) : "") +
         ") ON CONFLICT (name) DO NOTHING;\n";
  sql += "CREATE SEQUENCE IF NOT EXISTS " + identifier(config.name + "_serial") + ";\n";
  sql += "CREATE TABLE IF NOT EXISTS " + table.name + " (";
  for (const Table::Column& column : table.columns)
    sql += column.name + " " + column.type +
           (column.otherwise.empty() ? "" : " DEFAULT " + column.otherwise) +
           (column.not_null ? " NOT NULL" : "") + ", ";
  sql += "CONSTRAINT " + table.primary_key_name + " " + table.primary_key + ");\n";
  const auto options = nlohmann::json::parse(config.options.value_or("{}"), nullptr, false);
  if (options.is_object() && options.value("guaranteeOrder", false)) {
    const std::string serial = identifier(config.name + "_locking_serial");
    sql += "CREATE TABLE IF NOT EXISTS " + serial + " (id integer PRIMARY KEY);\nINSERT INTO " +
           serial + " SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM " + serial + ");\n";
  }
  for (const Table::Trigger& trigger : table.triggers)
    sql +=
        "DO $moray_router$ BEGIN IF to_regprocedure(" + literal(trigger.function) +
        ") IS NULL THEN EXECUTE " + literal(trigger.function_definition) +
        "; END IF; IF NOT EXISTS (SELECT 1 FROM pg_trigger WHERE tgrelid = " + literal(table.name) +
        "::regclass AND tgname = " + literal(trigger.name) + ") THEN EXECUTE " +
        literal(trigger.definition) + "; END IF; END $moray_router$;\n";
  return sql;
}

std::string difference(const Table& source, const Table& target) {
  for (const Table::Column& column : source.columns) {
    const Table::Column* other = target.column(column.name);
    if (other == nullptr) return "column " + column.name + " is missing at the target";
    if (kind_of(*other) != kind_of(column))
      return "column " + column.name + " is " + column.type + " at the source and " + other->type +
             " at the target";
  }
  for (const Table::Column& column : target.columns)
    if (source.column(column.name) == nullptr)
      return "column " + column.name + " is missing at the source";
  return "";
}

std::string missing_trigger(const Table& source, const Table& target) {
  for (const Table::Trigger& trigger : source.triggers)
    if (std::none_of(target.triggers.begin(), target.triggers.end(),
                     [&](const Table::Trigger& each) { return each.name == trigger.name; }))
      return trigger.name;
  return "";
}

}  // namespace reshard
