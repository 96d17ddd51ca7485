#include "reshard/clean.hpp"

#include <chrono>
#include <string>

#include "reshard/counts.hpp"

namespace reshard {
namespace {

using backends::postgres::Rows;
using backends::postgres::Session;

constexpr std::uint64_t kBatchRows = 1'000;

/// Newer plans are rare: their vnodes are looked at only where there are any.
void require_newest(Database& at) {
  const std::string plan = std::to_string(at.number());
  const auto rows = at.apply().run(
      "SELECT p.plan FROM moray_router.reshard_plan p WHERE p.plan > $1::bigint AND p.state <> "
      "'aborted' AND EXISTS (SELECT 1 FROM "
      "moray_router.reshard_vnode n "
      "JOIN moray_router.reshard_vnode o ON o.vnode = n.vnode AND o.plan = $1::bigint WHERE n.plan "
      "= p.plan) LIMIT 1",
      {plan});
  if (rows.count() > 0)
    throw ActFailed("plan " + rows.string(0, 0) + " has vnodes of plan " + plan +
                    ": their rows stay");
}

/// What was deleted is not counted any more. `deleted`: a directory each.
void uncount(Session& session, const Table& table, const Rows& deleted) {
  DirectoryCounts fewer;
  for (int i = 0; i < deleted.count(); ++i)
    if (!deleted.null(i, 0)) --fewer[deleted.string(i, 0)];
  add_counts(session, table, fewer);
}

/// Some rows of these vnodes. Of one relation they are found where they lie, which its name goes
/// with: a place says nothing in another one. Nobody may have moved one out of the vnodes
/// meanwhile.
std::string delete_some(const Relation& relation, const std::string& vnodes) {
  const std::string of_vnodes = "_vnode = ANY(" + vnodes + ")";
  return "DELETE FROM ONLY " + relation + " WHERE ctid = ANY(ARRAY(SELECT ctid FROM ONLY " +
         relation + " WHERE " + of_vnodes + " LIMIT " + std::to_string(kBatchRows) + ")) AND " +
         of_vnodes;
}

/// By key: also of relations that have become the table's since its catalogue was read.
std::string delete_by_key(const Relation& table, const std::string& vnodes) {
  return "DELETE FROM " + table + " WHERE _key = ANY(ARRAY(SELECT _key FROM " + table +
         " WHERE _vnode = ANY(" + vnodes + ") LIMIT " + std::to_string(kBatchRows) + "))";
}

}  // namespace

bool clean_table(Database& at, const Table& table, const std::vector<VnodeGroup>& groups,
                 const std::string& state, Throttle& throttle,
                 const std::function<void(std::uint64_t rows)>& progress,
                 const std::function<bool()>& stopped) {
  const std::chrono::milliseconds slow(at.plan().options.cleanup_latency_ms);
  const auto until_none = [&](const std::string& statement) {
    for (;;) {
      const auto begun = std::chrono::steady_clock::now();
      Applying transaction(at, state);
      require_newest(at);
      const auto rows =
          at.apply().run(statement + (table.counted_in.empty() ? "" : " RETURNING dirname"));
      if (!table.counted_in.empty()) uncount(at.apply(), table, rows);
      transaction.commit();
      const std::uint64_t deleted = std::stoull(std::string(rows.affected()));
      progress(deleted);
      const auto took = std::chrono::steady_clock::now() - begun;
      if (!throttle.took(deleted)) return false;
      if (throttle.limited() && took > slow && !throttle.pause(took)) return false;
      if (stopped()) return false;
      if (deleted < kBatchRows) return true;
    }
  };
  VnodeGroup all;
  for (const VnodeGroup& group : groups) {
    const std::string vnodes = group_sql(group);
    if (!table.partitioned && !until_none(delete_some(table.name, vnodes))) return false;
    for (const Table::Member& each : table.members)
      if (!until_none(delete_some(each.name, vnodes))) return false;
    all.insert(all.end(), group.begin(), group.end());
  }
  return all.empty() || until_none(delete_by_key(table.name, group_sql(all)));
}

}  // namespace reshard
