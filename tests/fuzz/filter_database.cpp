#include "tests/fuzz/filter_database.hpp"

#include <cstdlib>

#include "backends/postgres/sql/column_text.hpp"
#include "backends/postgres/wire/identifier.hpp"
#include "backends/postgres/wire/session_settings.hpp"
#include "tests/fuzz/filter_bucket.hpp"
#include "tests/fuzz/require.hpp"

namespace postgres = backends::postgres;

FilterDatabase* FilterDatabase::get() {
  static const std::unique_ptr<FilterDatabase> database = [] {
    const char* url = std::getenv("MORAY_ROUTER_FUZZ_DATABASE");
    return std::unique_ptr<FilterDatabase>(url == nullptr ? nullptr : new FilterDatabase(url));
  }();
  return database.get();
}

FilterDatabase::FilterDatabase(const char* url) : connection_(PQconnectdb(url)) {
  require(PQstatus(connection_.get()) == CONNECTION_OK, PQerrorMessage(connection_.get()));
  for (const postgres::SessionSetting& setting : postgres::session_settings())
    if (!setting.of_connections.empty())
      run("SET " + std::string(setting.name) + " = " +
          postgres::literal(setting.name == "DateStyle" ? "ISO, YMD" : setting.of_connections));
  run("SET client_min_messages = error");
  for (unsigned which = 0; which < kTables; ++which) make(fuzzed_table(which));
}

postgres::Rows FilterDatabase::run(const std::string& sql, const postgres::Parameters& parameters) {
  std::vector<const char*> values;
  for (const auto& parameter : parameters)
    values.push_back(parameter ? parameter->c_str() : nullptr);
  postgres::Rows rows;
  PGresult* result = PQexecParams(connection_.get(), sql.c_str(), static_cast<int>(values.size()),
                                  nullptr, values.data(), nullptr, nullptr, 0);
  const ExecStatusType status = PQresultStatus(result);
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
    const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    std::string what = std::string(state == nullptr ? "" : state) + " " +
                       PQerrorMessage(connection_.get()) + " in: " + sql;
    for (const auto& parameter : parameters) what += "\n  " + parameter.value_or("NULL");
    require(false, "PostgreSQL takes a statement: " + what);
  }
  return postgres::Rows(result);
}

void FilterDatabase::make(const postgres::BucketTable& table) {
  run("DROP TABLE IF EXISTS " + table.table);
  std::string columns;
  std::string names = "_key, _value, _etag, _mtime, _vnode, _txn_snap";
  std::string values = "$1, $2, $3, $4::bigint, $5::bigint, $6::integer";
  int last = 6;
  if (table.has_version) {
    names += ", _rver";
    values += ", $" + std::to_string(++last) + "::integer";
  }
  for (const objects::IndexField& field : table.bucket.fields) {
    const std::string type = postgres::sql_type(field.type);
    columns += ", " + postgres::identifier(field.column) + " " + type;
    names += ", " + postgres::identifier(field.column);
    values += ", $" + std::to_string(++last) + "::" + type;
  }
  run("CREATE TABLE " + table.table +
      " (_id bigint, _txn_snap integer, _key text PRIMARY KEY, _value text NOT NULL, _etag char(8) "
      "NOT NULL, _mtime bigint, _vnode bigint" +
      (table.has_version ? ", _rver integer" : "") + (table.extended_id ? ", _idx bigint" : "") +
      columns + ")");
  const std::vector<objects::Row> rows = fuzzed_rows(table);
  for (const objects::Row& row : rows) {
    // Half of the ids of a table that has both stand in the later column.
    const char* id = table.extended_id && row.id % 2 == 0 ? "_idx" : "_id";
    run("INSERT INTO " + table.table + " (" + names + ", " + id + ") VALUES (" + values + ", " +
            std::to_string(row.id) + ")",
        put_parameters(table, row));
  }
  const postgres::Rows stored =
      run("SELECT " + table.row_columns() + " FROM " + table.table + " ORDER BY " +
          (table.extended_id ? "coalesce(_id, _idx)" : "_id"));
  require(stored.count() == static_cast<int>(rows.size()), "PostgreSQL keeps every row");
  for (int i = 0; i < stored.count(); ++i) {
    const objects::Row& row = rows[static_cast<std::size_t>(i)];
    // Compared as parameters: a NaN is not equal to itself.
    require(put_parameters(table, table.row_of(stored, i)) == put_parameters(table, row),
            "a row comes back from PostgreSQL as it was put: " + row.value);
  }
}

std::vector<std::int64_t> FilterDatabase::select(const postgres::BucketTable& table,
                                                 const std::string& where,
                                                 const postgres::Parameters& parameters) {
  const std::string id = table.extended_id ? "coalesce(_id, _idx)" : "_id";
  const postgres::Rows rows = run(
      "SELECT " + id + " FROM " + table.table + " WHERE (" + where + ") ORDER BY 1", parameters);
  std::vector<std::int64_t> ids;
  for (int i = 0; i < rows.count(); ++i)
    ids.push_back(std::strtoll(rows.string(i, 0).c_str(), nullptr, 10));
  return ids;
}
