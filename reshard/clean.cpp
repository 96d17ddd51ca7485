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

}  // namespace

bool clean_table(Database& at, const Table& table, const std::vector<VnodeGroup>& groups,
                 const std::string& state, Throttle& throttle,
                 const std::function<void(std::uint64_t rows)>& progress,
                 const std::function<bool()>& stopped) {
  const std::chrono::milliseconds slow(at.plan().options.cleanup_latency_ms);
  for (const VnodeGroup& group : groups) {
    for (;;) {
      const auto begun = std::chrono::steady_clock::now();
      Applying transaction(at, state);
      require_newest(at);
      // By key: a row's place is its relation's, and a table may consist of several.
      const auto rows = at.apply().run(
          "DELETE FROM " + table.name + " WHERE _key = ANY(ARRAY(SELECT _key FROM " + table.name +
          " WHERE _vnode = ANY(" + group_sql(group) + ") LIMIT " + std::to_string(kBatchRows) +
          "))" + (table.counted_in.empty() ? "" : " RETURNING dirname"));
      if (!table.counted_in.empty()) uncount(at.apply(), table, rows);
      transaction.commit();
      const std::uint64_t deleted = std::stoull(std::string(rows.affected()));
      progress(deleted);
      const auto took = std::chrono::steady_clock::now() - begun;
      if (!throttle.took(deleted)) return false;
      if (throttle.limited() && took > slow && !throttle.pause(took)) return false;
      if (stopped()) return false;
      if (deleted < kBatchRows) break;
    }
  }
  return true;
}

}  // namespace reshard
