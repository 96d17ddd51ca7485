#include "reshard/tables.hpp"

#include <algorithm>

#include "reshard/transaction.hpp"

namespace reshard {
namespace {

using backends::postgres::Rows;
using backends::postgres::Session;

/// `t`: a column's type, whatever domains are around it. A binary array says its elements' type, a
/// binary row its columns', by numbers that another database has for something else.
constexpr const char* kAsText =
    "(WITH RECURSIVE b AS (SELECT t.oid AS oid UNION ALL SELECT u.typbasetype FROM b JOIN pg_type "
    "u ON u.oid = b.oid WHERE u.typtype = 'd') SELECT v.typtype = 'c' OR v.typsend = 0 OR "
    "(v.typelem >= 16384 AND v.typlen = -1) FROM b JOIN pg_type v ON v.oid = b.oid WHERE v.typtype "
    "<> 'd')";

/// Of a column `a` with the default `d`: what the default names, or what is the identity's.
constexpr const char* kSequence =
    "(SELECT s.oid FROM pg_depend p JOIN pg_class s ON s.relkind = 'S' AND s.oid = CASE WHEN "
    "p.classid = 'pg_class'::regclass THEN p.objid ELSE p.refobjid END WHERE (p.classid = "
    "'pg_attrdef'::regclass AND p.objid = d.oid AND p.refclassid = 'pg_class'::regclass) OR "
    "(p.classid = 'pg_class'::regclass AND p.refclassid = 'pg_class'::regclass AND p.refobjid = "
    "a.attrelid AND p.refobjsubid = a.attnum AND p.deptype = 'i') LIMIT 1)";

/// With qualified names of types: another role's session may have another search_path.
void read_columns(Session& session, Table& table) {
  Transaction qualified(session, "BEGIN READ ONLY; SET LOCAL search_path = pg_catalog");
  const Rows columns = session.run(
      std::string(
          "SELECT quote_ident(a.attname), format_type(a.atttypid, a.atttypmod), a.attnotnull, "
          "coalesce(pg_get_expr(d.adbin, d.adrelid), ''), ") +
          (session.version() >= 120000 ? "a.attgenerated <> ''" : "false") + ", " + kAsText +
          ", coalesce(" + kSequence +
          ", 0) FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_attrdef d ON "
          "d.adrelid = a.attrelid AND d.adnum = a.attnum WHERE a.attrelid = $1::oid AND a.attnum > "
          "0 AND NOT a.attisdropped ORDER BY a.attnum",
      {std::to_string(table.oid)});
  qualified.commit();
  for (int i = 0; i < columns.count(); ++i) {
    Table::Column column{columns.string(i, 0),
                         columns.string(i, 1),
                         columns.string(i, 3),
                         columns.text(i, 2) == "t",
                         columns.text(i, 4) == "t",
                         columns.text(i, 5) == "t",
                         static_cast<std::uint32_t>(std::stoul(columns.string(i, 6)))};
    if (column.generated) column.otherwise.clear();
    if (column.name == "_id" && column.sequence != 0) table.id_sequence = column.sequence;
    table.columns.push_back(std::move(column));
  }
  const Table::Column* id = table.column("_id");
  if (id == nullptr || table.id_sequence != 0 || !id->otherwise.empty()) return;
  const Rows serial =
      session.run("SELECT to_regclass($1)::oid", {Relation::named(table.bucket + "_serial").sql()});
  if (!serial.null(0, 0))
    table.id_sequence = static_cast<std::uint32_t>(std::stoul(serial.string(0, 0)));
}

}  // namespace

const Table::Column* Table::column(const std::string& wanted) const {
  const auto found = std::find_if(columns.begin(), columns.end(),
                                  [&](const Column& each) { return each.name == wanted; });
  return found == columns.end() ? nullptr : &*found;
}

std::string Table::column_list() const {
  std::string list;
  for (const Column& each : columns)
    if (!each.generated) list += (list.empty() ? "" : ", ") + each.name;
  return list;
}

bool Table::has_texts() const {
  return std::any_of(columns.begin(), columns.end(),
                     [](const Column& each) { return each.as_text && !each.generated; });
}

std::optional<Table> read_table(Session& session, const std::string& bucket) {
  Table table;
  table.bucket = bucket;
  const Rows found = session.run(
      "WITH RECURSIVE tree AS (SELECT to_regclass($1)::oid AS oid UNION SELECT i.inhrelid FROM "
      "pg_inherits i JOIN tree ON tree.oid = i.inhparent) SELECT c.oid, format('%I.%I', n.nspname, "
      "c.relname), c.relkind, greatest(c.reltuples, 0), pg_table_size(c.oid), EXISTS (SELECT 1 "
      "FROM pg_index x JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[0] "
      "WHERE x.indrelid = c.oid AND x.indisvalid AND a.attname = '_vnode' AND "
      "coalesce(pg_get_expr(x.indpred, x.indrelid), '(_vnode IS NOT NULL)') = '(_vnode IS NOT "
      "NULL)'), "
      "EXISTS (SELECT 1 FROM pg_index x WHERE x.indrelid = c.oid AND (x.indisunique OR "
      "x.indisexclusion) AND NOT x.indisprimary) FROM tree JOIN pg_class c ON c.oid = tree.oid "
      "JOIN pg_namespace n ON n.oid = c.relnamespace ORDER BY c.oid <> to_regclass($1)::oid, 2",
      {Relation::named(bucket).sql()});
  if (found.count() == 0) return std::nullopt;
  for (int i = 0; i < found.count(); ++i) {
    Relation name = Relation::quoted_by_server(found.string(i, 1));
    const auto oid = static_cast<std::uint32_t>(std::stoul(found.string(i, 0)));
    // A partitioned table's rows are its partitions'.
    if (found.text(i, 2) != "p") table.rows_about += std::stod(found.string(i, 3));
    table.bytes_about += std::stod(found.string(i, 4));
    table.unique = table.unique || found.text(i, 6) == "t";
    if (i > 0) {
      table.members.push_back({std::move(name), oid});
      continue;
    }
    table.name = std::move(name);
    table.oid = oid;
    table.partitioned = found.text(i, 2) == "p";
    table.indexed_by_vnode = found.text(i, 5) == "t";
  }
  read_columns(session, table);
  return table;
}

}  // namespace reshard
