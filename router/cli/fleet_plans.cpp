#include "router/cli/fleet_plans.hpp"

#include <map>
#include <stdexcept>
#include <vector>

#include "backends/postgres/wire/session.hpp"
#include "ring/ring_edit.hpp"

namespace router::cli {
namespace {

constexpr int kShardSeconds = 5;
constexpr std::uint64_t kStatementMs = 10'000;

/// Vnodes that change hands, as one shard sees it.
struct Moved {
  ring::VnodeSet gets, gives;
};

/// A vnode's newest plan decides. The first column: a shard that got the vnode would refuse it;
/// else a plan is under way there, which would lose sight of it.
constexpr const char* kPlans = R"sql(
SELECT (p.role = 'source' AND p.state IN ('fenced', 'committed', 'cleaning', 'done'))
         OR (p.role = 'target' AND p.state = 'guarded'),
       p.plan, p.from_pnode, p.to_pnode, v.vnode
  FROM moray_router.reshard_vnode v JOIN moray_router.reshard_plan p ON p.plan = v.plan
  WHERE p.state <> 'aborted' AND NOT (p.role = 'target' AND p.state = 'done')
    AND NOT EXISTS (SELECT 1 FROM moray_router.reshard_vnode w
                      JOIN moray_router.reshard_plan q ON q.plan = w.plan
                    WHERE w.vnode = v.vnode AND q.plan > v.plan AND q.state <> 'aborted')
  ORDER BY v.vnode
)sql";

std::string said_by(const std::string& url, const std::string& pnode, const Moved& moved) {
  backends::postgres::Session session(url, "moray-router fleet", kShardSeconds);
  session.limit_statements(kStatementMs);
  if (session.run("SELECT 1 WHERE to_regclass('moray_router.reshard_plan') IS NOT NULL").count() ==
      0)
    return "";
  const auto rows = session.run(kPlans);
  for (int i = 0; i < rows.count(); ++i) {
    const ring::Vnode vnode{static_cast<std::uint32_t>(std::stoul(rows.string(i, 4)))};
    const bool refused = rows.text(i, 0) == "t";
    const std::string plan = "plan " + rows.string(i, 1) + " of resharding (from " +
                             rows.string(i, 2) + " to " + rows.string(i, 3) + ")";
    const std::string named = "vnode " + std::to_string(number(vnode));
    if (refused && moved.gets.contains(vnode))
      return pnode + " would refuse " + named + ": " + plan +
             " is about it; `reshard rollback` takes such a plan back, `reshard forget` ends one "
             "that is over";
    if (!refused && moved.gives.contains(vnode))
      return named + " would be taken from " + pnode + ", where " + plan + " is under way";
  }
  return "";
}

}  // namespace

std::string against_plans(const config::Config& config, const ring::Ring& now,
                          const ring::Ring& next) {
  std::map<std::string, Moved> shards;
  for (const auto& move : ring::difference(now, next).moves) {
    Moved& to = shards[move.to];
    to.gets = to.gets.united(move.vnodes);
    Moved& from = shards[move.from];
    from.gives = from.gives.united(move.vnodes);
  }
  for (const config::Shard& shard : config.shards) {
    const auto moved = shards.find(shard.pnode);
    if (moved == shards.end() || shard.backend != config::Backend::postgres) continue;
    try {
      if (const std::string why = said_by(shard.url, shard.pnode, moved->second); !why.empty())
        return why;
    } catch (const backends::postgres::SessionError& error) {
      throw std::runtime_error("whether a plan of resharding is about these vnodes, " +
                               shard.pnode + " does not say: " + error.what() +
                               "; --regardless-of-plans does not ask");
    }
  }
  return "";
}

}  // namespace router::cli
