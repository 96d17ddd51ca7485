#include "reshard/preflight_tables.hpp"

#include <algorithm>

#include "reshard/definition/likeness.hpp"
#include "reshard/definition/needs.hpp"
#include "reshard/definition/pg_tools.hpp"
#include "reshard/rows.hpp"
#include "reshard/schema.hpp"
#include "reshard/table_version.hpp"

namespace reshard {
namespace {

using backends::postgres::Rows;
using backends::postgres::Session;

constexpr int kPartitionTriggers = 130000;  ///< the first server with row triggers before a write

/// Of all that a table's rows are in: what this way of moving them does not carry, or would trip
/// over.
constexpr const char* kHindrances = R"sql(
SELECT 'foreign key ' || k.conname || ' of ' || k.conrelid::regclass || ' refers to ' ||
  k.confrelid::regclass,
       'rows that move would be parted from those of the other table: drop it for the move'
  FROM pg_constraint k WHERE k.contype = 'f' AND k.conparentid = 0
    AND (k.conrelid IN (SELECT oid FROM t) OR k.confrelid IN (SELECT oid FROM t))
UNION ALL SELECT 'table ' || c.oid::regclass || ' is unlogged',
       'a crash empties it without a word: ALTER TABLE … SET LOGGED' FROM t JOIN pg_class c ON
         c.oid = t.oid WHERE c.relpersistence = 'u'
UNION ALL SELECT c.oid::regclass || ' is no table',
       'only tables, partitioned ones and their children have rows that can be moved' FROM t JOIN
         pg_class c ON c.oid = t.oid WHERE c.relkind NOT IN ('r', 'p')
UNION ALL SELECT 'trigger ' || g.tgname || ' of ' || g.tgrelid::regclass ||
  ' is enabled for replicas, too',
       'it would change rows that are copied: ALTER TABLE … ENABLE TRIGGER for the move'
  FROM pg_trigger g JOIN t ON t.oid = g.tgrelid WHERE NOT g.tgisinternal AND g.tgenabled IN ('A',
    'R') AND g.tgname NOT IN ($2, $3)
UNION ALL SELECT 'trigger ' || g.tgname || ' of ' || g.tgrelid::regclass ||
  ' comes after the one that watches the rows',
       'it may change what that one has seen: give it a name that sorts before ' || $2
  FROM pg_trigger g JOIN t ON t.oid = g.tgrelid WHERE NOT g.tgisinternal AND g.tgtype & 3 = 3 AND
    g.tgname > $2::name COLLATE "C" AND g.tgname <> $3
UNION ALL SELECT 'constraint ' || k.conname || ' of ' || k.conrelid::regclass || ' is deferrable',
       'what breaks it is not told at once: make it one that is not deferrable for the move'
  FROM pg_constraint k JOIN t ON t.oid = k.conrelid WHERE k.condeferrable AND k.contype IN ('u',
    'x')
UNION ALL SELECT 'column ' || a.attname || ' of ' || a.attrelid::regclass ||
  ' is that child''s own',
       'rows of children are moved as their parent''s: add the column there, or drop it'
  FROM t JOIN pg_attribute a ON a.attrelid = t.oid JOIN pg_class c ON c.oid = t.oid
  WHERE a.attislocal AND a.attnum > 0 AND NOT a.attisdropped AND NOT c.relispartition AND
    a.attinhcount = 0
    AND EXISTS (SELECT 1 FROM pg_inherits i WHERE i.inhrelid = t.oid) AND t.oid <>
      to_regclass(($1::text[])[1])
)sql";

}  // namespace

void look_at_table(Database& side, const Table& table, Preflight& found) {
  const std::string where = std::string(side.role_name()) + ": ";
  Session& session = side.owner();
  const Rows hindrances = session.run(std::string(kTableTree) + kHindrances,
                                      {names_of({table.name}), kRowTrigger, kTruncateTrigger});
  for (int i = 0; i < hindrances.count(); ++i)
    found.obstacles.push_back({where + hindrances.string(i, 0), hindrances.string(i, 1)});
  if (table.partitioned && session.version() < kPartitionTriggers)
    found.obstacles.push_back(
        {where + "table " + table.name + " is partitioned, and the server is older than 13",
         "older ones have no triggers that see such a table's rows before they are written"});
  const Rows owner = session.run(
      std::string(kTableTree) +
          "SELECT t.oid::regclass, pg_has_role(c.relowner, 'USAGE'), c.relowner::regrole, "
          "current_user, c.relforcerowsecurity AND NOT EXISTS (SELECT 1 FROM pg_roles r WHERE "
          "r.rolname = current_user AND (r.rolsuper OR r.rolbypassrls)) FROM t JOIN pg_class c ON "
          "c.oid = t.oid",
      {names_of({table.name})});
  for (int i = 0; i < owner.count(); ++i) {
    const std::string name = "table " + owner.string(i, 0);
    if (owner.text(i, 1) == "f")
      found.obstacles.push_back(
          {where + name + " belongs to " + owner.string(i, 2) + ", and the owner's connection is " +
               owner.string(i, 3) + "'s",
           "connect as " + owner.string(i, 2) + ": only an owner may put triggers on it"});
    if (owner.text(i, 4) == "t")
      found.obstacles.push_back({where + name + " forces its policies on its owner",
                                 "connect as a role that bypasses row security"});
  }
  const Rows rights = side.apply().run(
      std::string(kTableTree) +
          "SELECT t.oid::regclass, current_user FROM t WHERE NOT (has_table_privilege(t.oid, "
          "'SELECT') AND has_table_privilege(t.oid, 'INSERT') AND has_table_privilege(t.oid, "
          "'UPDATE') AND has_table_privilege(t.oid, 'DELETE')) LIMIT 1",
      {names_of({table.name})});
  if (rights.count() > 0)
    found.obstacles.push_back({where + "the apply connection, " + rights.string(0, 1) +
                                   "'s, may not read and write table " + rights.string(0, 0),
                               "GRANT SELECT, INSERT, UPDATE, DELETE ON it"});
}

void look_at_likeness(Database& source, Database& target, const Table& here, const Table& there,
                      Preflight& found) {
  const bool is_made = target.has_schema() && target.plan_that_keeps_ids().has_value();
  for (const Unlikeness& each :
       compare_features(features(source.owner(), here), features(target.owner(), there))) {
    if (is_made && each.kind != "column") continue;
    const std::string what = "bucket " + here.bucket + ": " + each.what;
    if (each.matters)
      found.obstacles.push_back({what, "make the two tables alike"});
    else
      found.warnings.push_back(what + "; it stays so");
  }
}

void look_at_missing(const Plan& plan, Database& source, Database& target,
                     const std::vector<BucketConfig>& configs, Preflight& found) {
  std::vector<std::uint32_t> missing;
  for (const BucketConfig& config : configs) {
    const auto table = read_table(source.owner(), config.name);
    if (!table || read_table(target.owner(), config.name)) continue;
    missing.push_back(table->oid);
    for (const Table::Member& each : table->members) missing.push_back(each.oid);
  }
  if (missing.empty()) return;
  const int from = source.owner().version() / 10'000, to = target.owner().version() / 10'000;
  if (to < from)
    found.obstacles.push_back(
        {"the target's server is PostgreSQL " + std::to_string(to) + ", older than the source's, " +
             std::to_string(from),
         "tables are made as the source's pg_dump has them: upgrade the target, or make its tables "
         "by hand"});
  const auto tools = find_pg_tools(plan.pg_bin, from);
  const std::string wanted =
      "install postgresql-client-" + std::to_string(from) + ", or name its directory by --pg-bin";
  if (!tools)
    found.obstacles.push_back(
        {"there is no pg_dump" +
             (plan.pg_bin.empty() ? std::string(" here") : " in " + plan.pg_bin) +
             ", by which the target's tables are made",
         wanted});
  else if (tools->major < from)
    found.obstacles.push_back({"pg_dump in " + tools->directory.string() + " is of version " +
                                   std::to_string(tools->major) +
                                   ", older than the source's server, " + std::to_string(from),
                               wanted});
  for (const Need& need : needs_of(source.owner(), missing)) {
    const NeedThere there = look_for(target.owner(), need);
    if (!there.differs.empty())
      found.obstacles.push_back({there.differs + ", and tables that move need it",
                                 "make it at the target what it is at the source"});
    if (there.there || !need.make.empty() || !need.relation.empty()) continue;
    found.obstacles.push_back({need.kind + " " + need.name +
                                   " is missing at the target, and tables "
                                   "that move need it",
                               "make it there"});
  }
  std::vector<std::string> oids;
  for (const std::uint32_t each : missing) oids.push_back(std::to_string(each));
  const Rows schemas = source.owner().run(
      "SELECT DISTINCT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
      "WHERE c.oid = ANY($1::oid[])",
      {text_array(oids)});
  for (int i = 0; i < schemas.count(); ++i) {
    // Also of one that is not there yet.
    const Rows in_path = target.owner().run(
        "SELECT $1 = ANY(current_schemas(false)) OR EXISTS (SELECT 1 FROM "
        "regexp_split_to_table(current_setting('search_path'), ',') w WHERE btrim(btrim(w), '\"') "
        "= "
        "CASE WHEN btrim(btrim(w), '\"') = '$user' THEN '$user' ELSE $1 END AND ($1 = "
        "btrim(btrim(w), '\"') OR $1 = current_user))",
        {schemas.string(i, 0)});
    if (in_path.text(0, 0) != "t")
      found.obstacles.push_back(
          {"schema " + schemas.string(i, 0) +
               ", in which the source has its tables, is not in the target's search_path",
           "ALTER ROLE or ALTER DATABASE … SET search_path there, so that routers find them"});
  }
  const Rows spaces = source.owner().run(
      "SELECT c.oid::regclass, s.spcname FROM pg_class c JOIN pg_tablespace s ON s.oid = "
      "c.reltablespace WHERE c.oid = ANY($1::oid[])",
      {text_array(oids)});
  for (int i = 0; i < spaces.count(); ++i)
    found.warnings.push_back("table " + spaces.string(i, 0) + " is in tablespace " +
                             spaces.string(i, 1) + "; at the target it is made in the default one");
}

}  // namespace reshard
