#include "reshard/definition/needs.hpp"

#include "reshard/rows.hpp"
#include "reshard/schema.hpp"
#include "reshard/transaction.hpp"

namespace reshard {
namespace {

using backends::postgres::Rows;
using backends::postgres::Session;
using backends::postgres::SessionError;

/// What belongs to the relations, what that depends on, and what that depends on in turn; but for
/// PostgreSQL's own, whose numbers are small, what a table brings itself, and what an extension
/// brings.
constexpr const char* kNeeds = R"sql(
WITH RECURSIVE roots AS (SELECT unnest($1::oid[]) AS oid),
own (classid, objid) AS (
  SELECT 'pg_class'::regclass, oid FROM roots
  UNION SELECT 'pg_class'::regclass, indexrelid FROM pg_index WHERE indrelid IN (SELECT oid FROM
    roots)
  UNION SELECT 'pg_attrdef'::regclass, oid FROM pg_attrdef WHERE adrelid IN (SELECT oid FROM roots)
  UNION SELECT 'pg_constraint'::regclass, oid FROM pg_constraint WHERE conrelid IN (SELECT oid
    FROM roots)
  UNION SELECT 'pg_trigger'::regclass, oid FROM pg_trigger
    WHERE tgrelid IN (SELECT oid FROM roots) AND NOT tgisinternal AND tgname NOT IN ($2, $3)
  UNION SELECT 'pg_policy'::regclass, oid FROM pg_policy WHERE polrelid IN (SELECT oid FROM roots)
  UNION SELECT 'pg_rewrite'::regclass, oid FROM pg_rewrite WHERE ev_class IN (SELECT oid FROM
    roots)
  UNION SELECT 'pg_statistic_ext'::regclass, oid FROM pg_statistic_ext WHERE stxrelid IN (SELECT
    oid FROM roots)),
needed (classid, objid) AS (
  SELECT d.refclassid, d.refobjid FROM own o JOIN pg_depend d ON d.classid = o.classid AND d.objid
    = o.objid
    WHERE d.refobjid >= 16384 AND NOT EXISTS (SELECT 1 FROM own x WHERE x.classid = d.refclassid
      AND x.objid = d.refobjid)
  UNION
  SELECT d.refclassid, d.refobjid FROM needed n JOIN pg_depend d ON d.classid = n.classid AND
    d.objid = n.objid
    WHERE d.refobjid >= 16384 AND d.deptype IN ('n', 'a', 'i', 'e')
      AND n.classid <> 'pg_extension'::regclass
      AND NOT EXISTS (SELECT 1 FROM pg_depend e WHERE e.classid = n.classid AND e.objid = n.objid
        AND e.deptype = 'e'
                        AND d.deptype <> 'e')
      AND NOT EXISTS (SELECT 1 FROM own x WHERE x.classid = d.refclassid AND x.objid = d.refobjid))
SELECT i.type, i.identity, a.object_names::text, a.object_args::text,
    CASE n.classid
      WHEN 'pg_namespace'::regclass THEN format('CREATE SCHEMA IF NOT EXISTS %s', i.identity)
      WHEN 'pg_proc'::regclass THEN (SELECT pg_get_functiondef(p.oid) FROM pg_proc p WHERE p.oid =
        n.objid
        AND p.prokind IN ('f', 'p', 'w') AND (NOT p.prosecdef OR p.proowner = (SELECT oid FROM
          pg_roles WHERE rolname = current_user)))
      WHEN 'pg_type'::regclass THEN (SELECT format('CREATE TYPE %s AS ENUM (%s)', i.identity,
          string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder))
        FROM pg_enum e WHERE e.enumtypid = n.objid HAVING count(*) > 0)
    END,
    CASE WHEN c.relkind = 'S' THEN i.identity END
  FROM needed n CROSS JOIN LATERAL pg_identify_object(n.classid, n.objid, 0) i
    CROSS JOIN LATERAL pg_identify_object_as_address(n.classid, n.objid, 0) a
    LEFT JOIN pg_class c ON n.classid = 'pg_class'::regclass AND c.oid = n.objid
  WHERE NOT EXISTS (SELECT 1 FROM pg_depend e WHERE e.classid = n.classid AND e.objid = n.objid
    AND e.deptype = 'e')
    AND NOT (n.classid = 'pg_type'::regclass AND EXISTS (SELECT 1 FROM pg_type y WHERE y.oid =
      n.objid
               AND (y.typelem <> 0 AND y.typlen = -1 OR EXISTS (SELECT 1 FROM own x
                 WHERE x.classid = 'pg_class'::regclass AND x.objid = y.typrelid))))
  ORDER BY n.classid <> 'pg_namespace'::regclass, n.classid <> 'pg_type'::regclass, n.objid
)sql";

/// Whom the relations belong to, and to whom they are granted, but for the session's own user.
constexpr const char* kRoles = R"sql(
SELECT DISTINCT r.rolname FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid
  WHERE s.refclassid = 'pg_authid'::regclass AND r.rolname <> current_user
    AND s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (s.classid = 'pg_class'::regclass AND s.objid = ANY($1::oid[])
         OR s.classid = 'pg_policy'::regclass AND s.objid IN (SELECT oid FROM pg_policy WHERE
           polrelid = ANY($1::oid[])))
  ORDER BY 1
)sql";

/// Of what `needs_of` has made; it can be asked of both servers.
constexpr const char* kDefinition = R"sql(
SELECT CASE o.classid
    WHEN 'pg_proc'::regclass THEN pg_get_functiondef(o.objid)
    WHEN 'pg_type'::regclass THEN (SELECT format('CREATE TYPE %s AS ENUM (%s)', i.identity,
        string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder))
      FROM pg_enum e WHERE e.enumtypid = o.objid HAVING count(*) > 0) END
  FROM pg_get_object_address($1, $2::text[], $3::text[]) o
    CROSS JOIN LATERAL pg_identify_object(o.classid, o.objid, 0) i
)sql";

bool none_such(const SessionError& error) {
  return error.sqlstate == "42704" || error.sqlstate == "42883" || error.sqlstate == "3F000" ||
         error.sqlstate == "42P01" || error.sqlstate == "42703";
}

}  // namespace

std::vector<Need> needs_of(Session& source, const std::vector<std::uint32_t>& relations) {
  std::vector<std::string> oids;
  for (const std::uint32_t each : relations) oids.push_back(std::to_string(each));
  Transaction qualified(source, "BEGIN READ ONLY; SET LOCAL search_path = pg_catalog");
  const Rows found = source.run(kNeeds, {text_array(oids), kRowTrigger, kTruncateTrigger});
  const Rows roles = source.run(kRoles, {text_array(oids)});
  qualified.commit();
  std::vector<Need> needs;
  for (int i = 0; i < found.count(); ++i) {
    // The public schema is everywhere.
    if (found.text(i, 0) == "schema" && found.text(i, 1) == "public") continue;
    needs.push_back({found.string(i, 0), found.string(i, 1), found.string(i, 2), found.string(i, 3),
                     found.value(i, 4).value_or(""), found.value(i, 5).value_or("")});
  }
  for (int i = 0; i < roles.count(); ++i)
    needs.push_back({"role", roles.string(i, 0), "", "", "", ""});
  return needs;
}

NeedThere look_for(Session& target, const Need& need) {
  if (need.kind == "role")
    return {target.run("SELECT 1 FROM pg_roles WHERE rolname = $1", {need.name}).count() > 0, ""};
  try {
    Transaction qualified(target, "BEGIN READ ONLY; SET LOCAL search_path = pg_catalog");
    const Rows found = target.run(kDefinition, {need.kind, need.names, need.arguments});
    qualified.commit();
    const std::string made = found.value(0, 0).value_or("");
    if (need.kind == "schema" || need.make.empty() || made.empty() || made == need.make)
      return {true, ""};
    return {true, need.kind + " " + need.name + " is not the same at both"};
  } catch (const SessionError& error) {
    if (!none_such(error)) throw;
    return {};
  }
}

}  // namespace reshard
