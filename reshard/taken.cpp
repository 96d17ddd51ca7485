#include "reshard/taken.hpp"

#include "reshard/schema.hpp"

namespace reshard {

/// A vnode's newest plan decides; at the shard that had it, that plan's row is a source's which is
/// committed or beyond.
std::string taken_by(backends::postgres::Session& shard, const ring::VnodeSet& vnodes) {
  if (vnodes.empty() ||
      shard.run("SELECT 1 WHERE to_regclass('moray_router.reshard_plan') IS NOT NULL").count() == 0)
    return "";
  const auto rows = shard.run(
      "SELECT p.plan, n.v, p.to_pnode, p.state FROM (" + vnodes_sql(vnodes) +
      ") n JOIN LATERAL (SELECT q.plan, q.to_pnode, q.role, q.state FROM "
      "moray_router.reshard_vnode "
      "w JOIN moray_router.reshard_plan q ON q.plan = w.plan WHERE w.vnode = n.v AND q.state <> "
      "'aborted' ORDER BY q.plan DESC LIMIT 1) p ON true WHERE p.role = 'source' AND p.state IN "
      "('committed', 'cleaning', 'done') ORDER BY n.v LIMIT 1");
  if (rows.count() == 0) return "";
  const auto text = [&](int column) { return rows.string(0, column); };
  return ": plan " + text(0) + " has moved vnode " + text(1) + " to " + text(2) +
         (text(3) == "committed" ? ", and is not finished" : "");
}

}  // namespace reshard
