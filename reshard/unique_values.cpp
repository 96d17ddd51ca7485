#include "reshard/unique_values.hpp"

#include <algorithm>

#include "reshard/rows.hpp"
#include "reshard/schema.hpp"
#include "reshard/transaction.hpp"

namespace reshard {
namespace {

using backends::postgres::Parameters;
using backends::postgres::Rows;
using backends::postgres::Session;

/// `(a, b)`, or `a` alone.
std::string listed(const std::vector<std::string>& texts) {
  std::string list;
  for (const std::string& each : texts) list += (list.empty() ? "" : ", ") + each;
  return texts.size() == 1 ? list : "(" + list + ")";
}

std::vector<std::string> expressions_of(const UniqueKey& unique) {
  std::vector<std::string> all;
  for (const UniqueKey::Part& part : unique.parts) all.push_back(part.expression);
  return all;
}

std::string where(const UniqueKey& unique) {
  return unique.predicate.empty() ? "true" : "(" + unique.predicate + ")";
}

/// The values as texts, an array for each part of the key; `most`: of rows.
struct Values {
  std::vector<std::vector<std::optional<std::string>>> parts;
  int count = 0;
};

Values values_of(const UniqueKey& unique, const RowsThere& rows) {
  std::string columns, filled;
  for (const UniqueKey::Part& part : unique.parts) {
    columns += (columns.empty() ? "(" : ", (") + part.expression + ")::text";
    if (!unique.nulls) filled += " AND (" + part.expression + ") IS NOT NULL";
  }
  Parameters parameters;
  const std::string which = rows.rows.condition(parameters);
  const Rows found = rows.session.run("SELECT " + columns + " FROM " + rows.table.name + " WHERE " +
                                          where(unique) + filled + " AND " + which,
                                      parameters);
  Values values;
  values.count = found.count();
  for (int part = 0; part < found.columns(); ++part) {
    auto& all = values.parts.emplace_back();
    for (int i = 0; i < found.count(); ++i) all.push_back(found.value(i, part));
  }
  return values;
}

/// As the value of a parameter of type text[].
std::string array_of(const std::vector<std::optional<std::string>>& values) {
  std::string array = "{";
  for (const auto& each : values) {
    if (array.size() > 1) array += ',';
    if (!each) {
      array += "NULL";
      continue;
    }
    const std::string one = text_array({*each});
    array += one.substr(1, one.size() - 2);
  }
  return array + "}";
}

}  // namespace

/// A key that is about ids alone says nothing: where it matters, rows get others.
std::vector<UniqueKey> unique_keys(Session& session, const Table& table) {
  Transaction qualified(session, "BEGIN READ ONLY; SET LOCAL search_path = pg_catalog");
  const Rows found = session.run(
      std::string(
          "SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid, n, false), "
          "format_type(a.atttypid, a.atttypmod), coalesce((SELECT format('OPERATOR(%I.%s)', "
          "s.nspname, o.oprname) FROM pg_constraint k JOIN pg_operator o ON o.oid = "
          "k.conexclop[n] JOIN pg_namespace s ON s.oid = o.oprnamespace WHERE k.conindid = "
          "i.indexrelid AND k.contype = 'x'), ''), coalesce(pg_get_expr(i.indpred, i.indrelid), "
          "''), ") +
          (session.version() >= 150000 ? "i.indnullsnotdistinct" : "false") +
          ", n = 1 FROM pg_index i CROSS JOIN LATERAL generate_series(1, i.indnkeyatts::int) n "
          "JOIN pg_attribute a ON a.attrelid = i.indexrelid AND a.attnum = n WHERE i.indrelid = "
          "$1::oid AND (i.indisunique OR i.indisexclusion) AND NOT i.indisprimary ORDER BY "
          "i.indexrelid, n",
      {std::to_string(table.oid)});
  std::vector<UniqueKey> keys;
  for (int i = 0; i < found.count(); ++i) {
    if (found.text(i, 6) == "t")
      keys.push_back({found.string(i, 0), {}, found.string(i, 4), found.text(i, 5) == "t"});
    std::string comparison = found.string(i, 3);
    if (comparison.empty()) comparison = keys.back().nulls ? "IS NOT DISTINCT FROM" : "=";
    keys.back().parts.push_back({found.string(i, 1), found.string(i, 2), std::move(comparison)});
  }
  std::erase_if(keys, [](const UniqueKey& key) {
    return key.parts.size() == 1 && key.parts.front().expression == "_id";
  });
  qualified.commit();
  return keys;
}

SomeRows SomeRows::of_vnodes(const VnodeGroup& vnodes) {
  SomeRows rows;
  rows.before_ = "_vnode = ANY(" + group_sql(vnodes) + ")";
  return rows;
}

SomeRows SomeRows::of_keys(const std::vector<std::string>& keys, bool but_those) {
  SomeRows rows;
  rows.before_ = but_those ? "_key <> ALL($" : "_key = ANY($";
  rows.after_ = "::text[])";
  rows.value_ = text_array(keys);
  return rows;
}

std::string SomeRows::condition(Parameters& values) const {
  if (!value_) return before_;
  values.emplace_back(*value_);
  return before_ + std::to_string(values.size()) + after_;
}

std::vector<TakenValue> taken_values(const UniqueKey& unique, const RowsThere& one,
                                     const RowsThere& other, int most) {
  const Values values = values_of(unique, one);
  if (values.count == 0) return {};
  Parameters parameters;
  std::string columns, wanted, names, same;
  for (std::size_t i = 0; i < unique.parts.size(); ++i) {
    const UniqueKey::Part& part = unique.parts[i];
    const std::string number = std::to_string(i + 1);
    parameters.emplace_back(array_of(values.parts[i]));
    columns += ", (" + part.expression + ") AS e" + number;
    wanted += (i == 0 ? "$" : ", $") + number + "::text[]";
    names += (i == 0 ? "v" : ", v") + number;
    same += " AND t.e" + number + " " + part.comparison + " v.v" + number + "::" + part.type;
  }
  const std::string which = other.rows.condition(parameters);
  const Rows taken = other.session.run("SELECT t._key, v.* FROM (SELECT _key" + columns + " FROM " +
                                           other.table.name + " WHERE " + where(unique) + " AND " +
                                           which + ") t JOIN unnest(" + wanted + ") v (" + names +
                                           ") ON true" + same + " LIMIT " + std::to_string(most),
                                       parameters);
  std::vector<TakenValue> found;
  for (int i = 0; i < taken.count(); ++i) {
    std::vector<std::string> texts;
    for (int part = 1; part < taken.columns(); ++part)
      texts.push_back(taken.value(i, part).value_or("NULL"));
    found.push_back({listed(expressions_of(unique)) + " = " + listed(texts), taken.string(i, 0)});
  }
  return found;
}

std::vector<ComingRows> coming_rows(Session& target, const std::string& but,
                                    const std::vector<Side>& shards,
                                    std::vector<std::string>& warnings) {
  std::vector<ComingRows> all;
  const auto plans = target.run(
      "SELECT plan, from_pnode FROM moray_router.reshard_plan WHERE plan <> $1::bigint AND role = "
      "'target' AND state = 'guarded' ORDER BY plan",
      {but});
  for (int i = 0; i < plans.count(); ++i) {
    ComingRows other{plans.string(i, 0), plans.string(i, 1), {}, nullptr};
    const auto side = std::find_if(shards.begin(), shards.end(),
                                   [&](const Side& each) { return each.pnode == other.pnode; });
    try {
      if (side == shards.end())
        throw backends::postgres::SessionError("its URL is not known here", "");
      other.source = std::make_unique<Session>(side->url, "moray-router reshard plan");
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
