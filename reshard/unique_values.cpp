#include "reshard/unique_values.hpp"

#include <algorithm>

#include "reshard/rows.hpp"
#include "reshard/schema.hpp"

namespace reshard {

/// Of indexes over one column: moray makes no others.
std::optional<TakenValue> taken_value(backends::postgres::Session& source, const Table& table,
                                      const std::vector<VnodeGroup>& groups,
                                      backends::postgres::Session& there, const Table& other,
                                      const std::optional<VnodeGroup>& others) {
  for (const Table::Index& index : table.indexes) {
    const std::size_t open = index.definition.rfind('('), close = index.definition.rfind(')');
    if (!index.unique || open == std::string::npos) continue;
    const std::string column = index.definition.substr(open + 1, close - open - 1);
    const Table::Column* known = table.column(column);
    if (known == nullptr) continue;
    for (const VnodeGroup& group : groups) {
      const auto values =
          source.run("SELECT " + column + "::text FROM " + table.name + " WHERE _vnode = ANY(" +
                     group_sql(group) + ") AND " + column + " IS NOT NULL");
      std::vector<std::string> texts;
      for (int i = 0; i < values.count(); ++i) texts.emplace_back(values.text(i, 0));
      if (texts.empty()) continue;
      const auto taken =
          there.run("SELECT t._key, t." + column + "::text FROM " + other.name + " t WHERE t." +
                    column + " = ANY(" + text_array(texts) + "::" + known->type + "[])" +
                    (others ? " AND t._vnode = ANY(" + group_sql(*others) + ")" : std::string()) +
                    " LIMIT 1");
      if (taken.count() > 0)
        return TakenValue{column, std::string(taken.text(0, 1)), std::string(taken.text(0, 0))};
    }
  }
  return std::nullopt;
}

std::vector<ComingRows> coming_rows(backends::postgres::Session& target, const std::string& but,
                                    const std::vector<Side>& shards,
                                    std::vector<std::string>& warnings) {
  std::vector<ComingRows> all;
  const auto plans = target.run(
      "SELECT plan, from_pnode FROM moray_router.reshard_plan WHERE plan <> $1::bigint AND role = "
      "'target' AND state = 'guarded' ORDER BY plan",
      {but});
  for (int i = 0; i < plans.count(); ++i) {
    ComingRows other{std::string(plans.text(i, 0)), std::string(plans.text(i, 1)), {}, nullptr};
    const auto side = std::find_if(shards.begin(), shards.end(),
                                   [&](const Side& each) { return each.pnode == other.pnode; });
    try {
      if (side == shards.end())
        throw backends::postgres::SessionError("its URL is not known here", "");
      other.source =
          std::make_unique<backends::postgres::Session>(side->url, "moray-router reshard plan");
    } catch (const backends::postgres::SessionError& error) {
      warnings.push_back("unique values are not compared with rows that plan " + other.plan +
                         " moves to the target from " + other.pnode + ": " + error.what());
      continue;
    }
    vnodes_in(target.run("SELECT vnode FROM moray_router.reshard_vnode WHERE plan = $1::bigint",
                         {other.plan}))
        .each([&](ring::Vnode vnode) { other.vnodes.push_back(number(vnode)); });
    all.push_back(std::move(other));
  }
  return all;
}

}  // namespace reshard
