#include "reshard/definition/definitions.hpp"

#include <algorithm>

#include "reshard/rows.hpp"
#include "reshard/schema.hpp"
#include "reshard/table_version.hpp"
#include "reshard/transaction.hpp"

namespace reshard {
namespace {

using backends::postgres::Relation;
using backends::postgres::Rows;
using backends::postgres::Session;

/// What a dump says where the dumped server's database has it so.
constexpr const char* kPlainBackslashes = "SET standard_conforming_strings = off;";

/// The catalogue's own numbers, the same in every database.
constexpr std::uint32_t kClass = 1259;

/// What belongs to the relations of `t`: a catalogue's number, the thing's, a key by which another
/// database has the same thing, and a relation's schema and name as pg_restore lists them.
constexpr const char* kThings = R"sql(
, r AS (SELECT DISTINCT oid FROM t WHERE oid IS NOT NULL),
n AS (SELECT r.oid, format('%I.%I', s.nspname, c.relname) AS name FROM r JOIN pg_class c ON c.oid
  = r.oid
        JOIN pg_namespace s ON s.oid = c.relnamespace)
SELECT 1259, c.oid, 'relation ' || format('%I.%I', s.nspname, c.relname), s.nspname || ' ' ||
  c.relname || ' '
  FROM (SELECT oid FROM r UNION SELECT indexrelid FROM pg_index i JOIN r ON r.oid = i.indrelid) x
    JOIN pg_class c ON c.oid = x.oid JOIN pg_namespace s ON s.oid = c.relnamespace
UNION ALL SELECT 0, c.oid, 'attached', s.nspname || ' ' || c.relname || ' ' FROM pg_index i JOIN r
  ON r.oid = i.indrelid
    JOIN pg_inherits h ON h.inhrelid = i.indexrelid JOIN pg_class c ON c.oid = i.indexrelid JOIN
      pg_namespace s ON s.oid = c.relnamespace
UNION ALL SELECT 2606, k.oid, format('constraint %I of %s', k.conname, n.name), '' FROM
  pg_constraint k JOIN n ON n.oid = k.conrelid
UNION ALL SELECT 2620, g.oid, format('trigger %I of %s', g.tgname, n.name), '' FROM pg_trigger g
  JOIN n ON n.oid = g.tgrelid
UNION ALL SELECT 3256, p.oid, format('policy %I of %s', p.polname, n.name), '' FROM pg_policy p
  JOIN n ON n.oid = p.polrelid
UNION ALL SELECT 2618, w.oid, format('rule %I of %s', w.rulename, n.name), '' FROM pg_rewrite w
  JOIN n ON n.oid = w.ev_class
UNION ALL SELECT 3381, e.oid, format('statistics %I of %s', e.stxname, n.name), '' FROM
  pg_statistic_ext e JOIN n ON n.oid = e.stxrelid
)sql";

constexpr const char* kIndexes =
    "SELECT i.indexrelid, coalesce(k.oid, 0), s.nspname || ' ' || c.relname || ' ', i.indisprimary "
    "OR a.attname = '_vnode', i.indisunique OR i.indisexclusion FROM t JOIN pg_index i ON "
    "i.indrelid = t.oid JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace s ON s.oid = "
    "c.relnamespace LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.conrelid = "
    "i.indrelid LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]";

std::uint32_t oid_in(const Rows& rows, int row, int column) {
  return static_cast<std::uint32_t>(std::stoul(rows.string(row, column)));
}

Rows things(Session& session, const std::vector<std::string>& relations) {
  std::string sql = kTableTree;
  sql.erase(sql.find_last_not_of(' ') + 1);
  return session.run(sql + kThings, {text_array(relations)});
}

/// What a database has already.
struct ThingsThere {
  std::set<std::string> keys, relations, attached;

  [[nodiscard]] static bool any(const std::set<std::string>& names, const std::string& words) {
    return std::any_of(names.begin(), names.end(),
                       [&](const std::string& each) { return words.starts_with(each); });
  }
};

ThingsThere things_at(Session& target, const std::vector<std::string>& relations) {
  ThingsThere there;
  const Rows rows = things(target, relations);
  for (int i = 0; i < rows.count(); ++i) {
    if (rows.text(i, 0) == "0")
      there.attached.insert(rows.string(i, 3));
    else
      there.keys.insert(rows.string(i, 2));
    if (rows.text(i, 0) == "1259") there.relations.insert(rows.string(i, 3));
  }
  return there;
}

}  // namespace

void Definitions::write(const std::string& source_url, const std::vector<Relation>& names) {
  dump_.write(source_url, application_, names);
}

std::set<std::uint32_t> Definitions::tables() {
  std::set<std::uint32_t> oids;
  for (const DumpEntry& each : dump_.entries())
    if (each.of_class == kClass && each.kind == "TABLE") oids.insert(each.oid);
  return oids;
}

Definitions::Source Definitions::read(Session& source) {
  Source all;
  all.entries = dump_.entries();
  std::erase_if(all.entries, [](const DumpEntry& each) {
    return each.kind == "TRIGGER" && each.words.find(std::string(" ") + kRowTrigger) +
                                             each.words.find(std::string(" ") + kTruncateTrigger) !=
                                         2 * std::string::npos;
  });
  std::vector<std::string> oids;
  for (const DumpEntry& each : all.entries)
    if (each.of_class == kClass && (each.kind == "TABLE" || each.kind == "SEQUENCE")) {
      oids.push_back(std::to_string(each.oid));
      all.oids.push_back(each.oid);
    }
  const Rows names = source.run(
      "SELECT format('%I.%I', s.nspname, c.relname), pg_get_userbyid(c.relowner) <> current_user "
      "FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace WHERE c.oid = ANY($1::oid[])",
      {text_array(oids)});
  for (int i = 0; i < names.count(); ++i) {
    all.relations.push_back(names.string(i, 0));
    all.owners = all.owners || names.text(i, 1) == "t";
  }
  const Rows rows = things(source, all.relations);
  for (int i = 0; i < rows.count(); ++i)
    all.keys.emplace(std::pair(oid_in(rows, i, 0), oid_in(rows, i, 1)), rows.string(i, 2));
  const Rows indexes = source.run(std::string(kTableTree) + kIndexes, {text_array(all.relations)});
  for (int i = 0; i < indexes.count(); ++i) {
    const auto part = indexes.text(i, 3) == "t"   ? DefinitionPart::tables
                      : indexes.text(i, 4) == "t" ? DefinitionPart::rest
                                                  : DefinitionPart::indexes;
    all.parts[oid_in(indexes, i, 0)] = part;
    if (const auto constraint = oid_in(indexes, i, 1); constraint != 0)
      all.parts[constraint] = part;
    all.attachments[indexes.string(i, 2)] = part;
  }
  return all;
}

DefinitionPart Definitions::part_of(const DumpEntry& entry, const Source& source) {
  for (const char* each : {"TABLE", "TABLE ATTACH", "SEQUENCE", "SEQUENCE OWNED BY", "DEFAULT"})
    if (entry.kind == each) return DefinitionPart::tables;
  if (entry.kind == "INDEX" || entry.kind == "CONSTRAINT") {
    const auto part = source.parts.find(entry.oid);
    if (part != source.parts.end()) return part->second;
  }
  if (entry.kind == "INDEX ATTACH")
    for (const auto& [index, part] : source.attachments)
      if (entry.words.starts_with(index)) return part;
  return DefinitionPart::rest;
}

bool Definitions::make(DefinitionPart last, Session& source, Session& target,
                       const std::string& target_url) {
  const Source all = read(source);
  const ThingsThere there = things_at(target, all.relations);
  const auto is_there = [&](const DumpEntry& entry) {
    if (entry.kind == "INDEX ATTACH") return ThingsThere::any(there.attached, entry.words);
    if (entry.kind == "TABLE ATTACH") return ThingsThere::any(there.relations, entry.words);
    const auto key = all.keys.find({entry.of_class, entry.oid});
    return key != all.keys.end() && there.keys.contains(key->second);
  };
  std::vector<DumpEntry> chosen;  // in the dump's order, in which each finds what it needs
  bool tables = false;
  for (const DumpEntry& each : all.entries) {
    const DefinitionPart part = part_of(each, all);
    if (part > last || is_there(each)) continue;
    tables = tables || (part == DefinitionPart::tables &&
                        (each.kind == "TABLE" || each.kind == "SEQUENCE" || each.kind == "INDEX" ||
                         each.kind == "CONSTRAINT"));
    chosen.push_back(each);
  }
  // A default, or whose a sequence is, goes with the table.
  if (!tables)
    std::erase_if(chosen, [&](const DumpEntry& each) {
      return part_of(each, all) == DefinitionPart::tables;
    });
  if (chosen.empty()) return false;
  std::string sql;
  if (tables)
    for (const Need& need : needs_of(source, all.oids)) {
      if (need.make.empty() || look_for(target, need).there) continue;
      sql += need.make + ";\n";
    }
  Session making(target_url, application_);
  Transaction transaction(making,
                          "BEGIN; SET LOCAL lock_timeout = '5s'; SET LOCAL "
                          "check_function_bodies = off; SET LOCAL search_path = pg_catalog");
  if (!sql.empty()) making.run_all(sql);
  const std::string dumped = dump_.sql(chosen, all.owners);
  // A text is read as a whole before the first statement in it is done.
  if (dumped.find(kPlainBackslashes) != std::string::npos) making.run_all(kPlainBackslashes);
  making.run_all(dumped);
  transaction.commit();
  return true;
}

}  // namespace reshard
