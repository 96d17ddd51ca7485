#include "reshard/counts.hpp"

#include "backends/postgres/wire/identifier.hpp"
#include "reshard/rows.hpp"

namespace reshard {
namespace {

using backends::postgres::literal;
using backends::postgres::Rows;
using backends::postgres::Session;

/// What the triggers write beside the count itself.
constexpr const char* kColumns = " (_key, _value, _etag, _mtime, _vnode, entries) ";

std::string count_row(const std::string& directory, const std::string& entries) {
  return directory +
         ", '{}', '_trigger', (extract(epoch FROM clock_timestamp()) * 1000)::bigint, "
         "moray_router.vnode_of(" +
         literal(kDirectoryCounts) + ", " + directory + "), " + entries;
}

/// The directories in which a group has rows.
std::string of_group(const Table& table, const VnodeGroup& group) {
  return "SELECT DISTINCT g.dirname FROM " + table.name + " g WHERE g._vnode = ANY(" +
         group_sql(group) + ") AND g.dirname IS NOT NULL";
}

/// All rows in them, whosever they are.
std::string rows_in(const Table& table, const VnodeGroup& group) {
  return "SELECT t.dirname AS directory, count(*) AS number FROM " + table.name +
         " t WHERE t.dirname IN (" + of_group(table, group) + ") GROUP BY t.dirname";
}

}  // namespace

DirectoryCounts directories_of(Session& session, const Table& table,
                               const std::vector<std::string>& keys) {
  DirectoryCounts counts;
  const Rows rows = session.run("SELECT t.dirname, count(*) FROM " + table.name +
                                    " t WHERE t._key = ANY($1::text[]) AND t.dirname IS NOT NULL "
                                    "GROUP BY t.dirname",
                                {text_array(keys)});
  for (int i = 0; i < rows.count(); ++i) counts[rows.string(i, 0)] = std::stoll(rows.string(i, 1));
  return counts;
}

void add_counts(Session& session, const Table& table, const DirectoryCounts& more) {
  std::vector<std::string> directories, numbers, fewer;
  for (const auto& [directory, by] : more) {
    if (by == 0) continue;
    directories.push_back(directory);
    numbers.push_back(std::to_string(by));
    if (by < 0) fewer.push_back(directory);
  }
  if (directories.empty()) return;
  std::vector<backends::postgres::Call> calls{
      {"INSERT INTO " + table.counted_in + " AS c" + kColumns + "SELECT " +
           count_row("v.directory", "v.by") +
           " FROM unnest($1::text[], $2::bigint[]) v (directory, by) ORDER BY v.directory ON "
           "CONFLICT (_key) DO UPDATE SET entries = c.entries + excluded.entries",
       {text_array(directories), text_array(numbers)}}};
  if (!fewer.empty())
    calls.push_back(
        {"DELETE FROM " + table.counted_in + " WHERE _key = ANY($1::text[]) AND entries <= 0",
         {text_array(fewer)}});
  session.run_together(calls);
}

std::vector<Miscount> miscounted(Session& session, const Table& table, const VnodeGroup& group) {
  std::vector<Miscount> wrong;
  const Rows rows = session.run(
      "SELECT r.directory, c.entries, r.number FROM (" + rows_in(table, group) + ") r LEFT JOIN " +
      table.counted_in +
      " c ON c._key = r.directory WHERE c.entries IS DISTINCT FROM r.number ORDER BY r.directory");
  for (int i = 0; i < rows.count(); ++i)
    wrong.push_back({rows.string(i, 0), rows.string(i, 1), std::stoull(rows.string(i, 2))});
  return wrong;
}

/// A writer of another row inserts it first and counts it then, in one transaction. With the
/// counts' rows locked, one that has counted has committed, and its row is in the snapshot of the
/// last statement; one that has not counts behind us.
void recount(Database& at, const Table& table, const VnodeGroup& group, const std::string& state) {
  Applying transaction(at, state);
  Session& session = at.apply();
  const std::string directories = of_group(table, group);
  session.run_all("INSERT INTO " + table.counted_in + kColumns + "SELECT " +
                  count_row("d.dirname", "0") + " FROM (" + directories +
                  ") d ORDER BY d.dirname ON CONFLICT (_key) DO NOTHING");
  session.run_all("SELECT 1 FROM " + table.counted_in + " WHERE _key IN (" + directories +
                  ") ORDER BY _key FOR UPDATE");
  session.run_all("UPDATE " + table.counted_in + " c SET entries = r.number FROM (" +
                  rows_in(table, group) + ") r WHERE c._key = r.directory");
  transaction.commit();
}

}  // namespace reshard
