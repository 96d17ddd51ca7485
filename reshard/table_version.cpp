#include "reshard/table_version.hpp"

#include "reshard/rows.hpp"
#include "reshard/schema.hpp"

namespace reshard {
namespace {

using backends::postgres::Call;
using backends::postgres::Rows;

}  // namespace

std::string names_of(const std::vector<Relation>& tables) {
  std::vector<std::string> names;
  for (const Relation& each : tables) names.push_back(each.sql());
  return text_array(names);
}

Call version_call(const std::vector<Relation>& tables) {
  return {std::string(kTableTree) +
              "SELECT coalesce(md5(string_agg(part, ',' ORDER BY part)), '') FROM ("
              "SELECT concat_ws(' ', 'c', t.name, c.oid, c.relname, c.relkind, c.relrowsecurity, "
              "c.relforcerowsecurity) AS part FROM t LEFT JOIN pg_class c ON c.oid = t.oid UNION "
              "ALL SELECT concat_ws(' ', 'a', a.attrelid, a.attnum, a.xmin) FROM pg_attribute a "
              "JOIN t ON t.oid = a.attrelid WHERE a.attnum > 0 UNION ALL "
              "SELECT concat_ws(' ', 'd', d.oid, d.xmin) FROM pg_attrdef d JOIN t ON t.oid = "
              "d.adrelid UNION ALL "
              "SELECT concat_ws(' ', 'i', i.indexrelid, i.xmin) FROM pg_index i JOIN t ON t.oid = "
              "i.indrelid UNION ALL "
              "SELECT concat_ws(' ', 'k', k.oid, k.xmin) FROM pg_constraint k JOIN t ON t.oid = "
              "k.conrelid UNION ALL "
              "SELECT concat_ws(' ', 'y', y.oid, y.xmin) FROM pg_policy y JOIN t ON t.oid = "
              "y.polrelid UNION ALL "
              "SELECT concat_ws(' ', 't', g.oid, g.xmin, CASE WHEN NOT g.tgisinternal AND "
              "f.pronamespace IS DISTINCT FROM to_regnamespace('moray_router') THEN f.xmin END) "
              "FROM pg_trigger g JOIN t ON t.oid = g.tgrelid JOIN pg_proc f ON f.oid = "
              "g.tgfoid) parts",
          {names_of(tables)},
          "moray_router_version"};
}

std::vector<Call> held_version_calls(const std::vector<Relation>& tables) {
  std::vector<Call> calls{{"BEGIN"}};
  std::string list;
  for (const Relation& table : tables) list += (list.empty() ? "" : ", ") + table.sql();
  if (!list.empty()) calls.push_back({"LOCK TABLE " + list + " IN ROW EXCLUSIVE MODE NOWAIT"});
  calls.push_back(version_call(tables));
  return calls;
}

std::vector<std::string> oids_of(backends::postgres::Session& session,
                                 const std::vector<Relation>& tables) {
  std::vector<std::string> oids;
  const Rows rows = session.run(
      "SELECT to_regclass(n.name)::oid FROM unnest($1::text[]) WITH ORDINALITY n (name, place) "
      "ORDER BY n.place",
      {names_of(tables)});
  for (int i = 0; i < rows.count(); ++i) oids.push_back(rows.value(i, 0).value_or(""));
  return oids;
}

/// A partition's trigger is its parent's, made for it, and may be disabled for it alone.
std::string unwatched(backends::postgres::Session& session, const std::vector<Relation>& tables) {
  const Rows rows = session.run(
      std::string(kTableTree) +
          "SELECT coalesce(t.oid::regclass::text, t.name) FROM t WHERE t.oid IS NULL OR (SELECT "
          "count(*) FROM pg_trigger g WHERE g.tgrelid = t.oid AND g.tgname IN ($2, $3) AND "
          "g.tgenabled IN ('O', 'A')) < 2 LIMIT 1",
      {names_of(tables), kRowTrigger, kTruncateTrigger});
  return rows.count() == 0 ? "" : rows.string(0, 0);
}

}  // namespace reshard
