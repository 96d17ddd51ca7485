#include "reshard/vnode_loads.hpp"

#include <map>

#include "backends/postgres/wire/session.hpp"
#include "reshard/bucket_configs.hpp"
#include "reshard/tables.hpp"

namespace reshard {

std::vector<VnodeLoad> vnode_loads(const Side& source, const config::Buckets& buckets) {
  backends::postgres::Session session(source.url, "moray-router reshard plan");
  std::map<std::uint64_t, VnodeLoad> loads;
  for (const BucketConfig& config : routed(bucket_configs(session), buckets)) {
    const auto table = read_table(session, config.name);
    if (!table || table->column("_vnode") == nullptr) continue;
    const auto rows = session.run("SELECT _vnode, count(*), sum(pg_column_size(t.*)) FROM " +
                                  table->name + " t WHERE _vnode IS NOT NULL GROUP BY 1");
    const auto number = [&](int row, int column) { return std::stoull(rows.string(row, column)); };
    for (int i = 0; i < rows.count(); ++i) {
      VnodeLoad& load = loads[number(i, 0)];
      load.rows += number(i, 1);
      load.bytes += number(i, 2);
    }
  }
  std::vector<VnodeLoad> result;
  for (auto& [vnode, load] : loads) {
    load.vnode = vnode;
    result.push_back(load);
  }
  return result;
}

}  // namespace reshard
