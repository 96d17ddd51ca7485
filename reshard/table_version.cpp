#include "reshard/table_version.hpp"

#include "backends/postgres/identifier.hpp"
#include "reshard/schema.hpp"

namespace reshard {
namespace {

using backends::postgres::literal;
using backends::postgres::Rows;

/// `t`: the tables that the names stand for now, in the names' order.
std::string named(const std::vector<std::string>& tables) {
  std::string list;
  for (const std::string& table : tables) list += (list.empty() ? "" : ", ") + literal(table);
  return "(SELECT to_regclass(n.name)::oid AS oid, n.name, n.place FROM unnest(ARRAY[" + list +
         "]::text[]) WITH ORDINALITY AS n (name, place)) t";
}

}  // namespace

std::string version_sql(const std::vector<std::string>& tables) {
  if (tables.empty()) return "SELECT ''::text";
  return "WITH t AS (SELECT * FROM " + named(tables) +
         ") SELECT coalesce(md5(string_agg(part, ',' ORDER BY part)), '') FROM ("
         "SELECT concat_ws(' ', 'c', t.name, c.oid, c.relname, c.relkind, c.relrowsecurity, "
         "c.relforcerowsecurity) AS part FROM t LEFT JOIN pg_class c ON c.oid = t.oid UNION ALL "
         "SELECT concat_ws(' ', 'a', a.attrelid, a.attnum, a.xmin) FROM pg_attribute a JOIN t ON "
         "t.oid = a.attrelid WHERE a.attnum > 0 UNION ALL "
         "SELECT concat_ws(' ', 'd', d.oid, d.xmin) FROM pg_attrdef d JOIN t ON t.oid = d.adrelid "
         "UNION ALL "
         "SELECT concat_ws(' ', 'i', i.indexrelid, i.xmin) FROM pg_index i JOIN t ON t.oid = "
         "i.indrelid UNION ALL "
         "SELECT concat_ws(' ', 'k', k.oid, k.xmin) FROM pg_constraint k JOIN t ON t.oid = "
         "k.conrelid UNION ALL "
         "SELECT concat_ws(' ', 't', g.oid, g.xmin) FROM pg_trigger g JOIN t ON t.oid = g.tgrelid "
         ") parts";
}

std::string hold_definitions_sql(const std::vector<std::string>& tables) {
  std::string list;
  for (const std::string& table : tables) list += (list.empty() ? "" : ", ") + table;
  return list.empty() ? "" : "LOCK TABLE " + list + " IN ROW EXCLUSIVE MODE NOWAIT; ";
}

std::vector<std::string> oids_of(backends::postgres::Session& session,
                                 const std::vector<std::string>& tables) {
  std::vector<std::string> oids;
  if (tables.empty()) return oids;
  const Rows rows = session.run("SELECT oid FROM " + named(tables) + " ORDER BY t.place");
  for (int i = 0; i < rows.count(); ++i) oids.push_back(rows.value(i, 0).value_or(""));
  return oids;
}

std::string unwatched(backends::postgres::Session& session,
                      const std::vector<std::string>& tables) {
  if (tables.empty()) return "";
  const Rows rows = session.run(
      "SELECT t.name FROM " + named(tables) +
          " WHERE t.oid IS NULL OR (SELECT count(*) FROM pg_trigger g WHERE g.tgrelid = t.oid AND "
          "g.tgname IN ($1, $2) AND g.tgenabled IN ('O', 'A')) < 2 LIMIT 1",
      {kRowTrigger, kTruncateTrigger});
  return rows.count() == 0 ? "" : std::string(rows.text(0, 0));
}

}  // namespace reshard
