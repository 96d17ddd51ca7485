#include "reshard/verify.hpp"

#include <map>
#include <utility>

#include "reshard/schema.hpp"
#include "reshard/suspects.hpp"

namespace reshard {
namespace {

using backends::postgres::Rows;

constexpr int kLooksMost = 50;  ///< at keys that are written all the time

struct Sum {
  std::uint64_t rows = 0;
  std::string digest;
  bool operator==(const Sum&) const = default;
};
using Sums = std::map<std::string, Sum>;  // by vnode

/// `alike`: the table whose columns, in their order, are compared.
std::string sums_sql(const Table& alike, const VnodeGroup& group) {
  return "SELECT v, count(*), sum(('x' || substr(d, 1, 15))::bit(60)::bigint) FROM (SELECT " +
         vnode_expression(alike.bucket, "t") + " AS v, " + row_digest(alike, "t") + " AS d FROM " +
         alike.name + " t WHERE t._vnode = ANY(" + group_sql(group) + ")) r GROUP BY v";
}

Sums sums_of(const Rows& rows) {
  Sums sums;
  for (int i = 0; i < rows.count(); ++i)
    sums[std::string(rows.text(i, 0))] = {std::stoull(std::string(rows.text(i, 1))),
                                          std::string(rows.text(i, 2))};
  return sums;
}

/// Both servers work on it at once.
std::pair<Rows, Rows> ask_both(Database& from, Database& to, const std::string& sql) {
  from.owner().send(sql);
  to.owner().send(sql);
  Rows here = from.owner().receive();
  return {std::move(here), to.owner().receive()};
}

DifferingRow described(const std::string& bucket, const std::string& key, const std::string& here,
                       const std::string& there) {
  return {bucket, key,
          there.empty()  ? "missing at the target"
          : here.empty() ? "not at the source"
                         : "differs"};
}

/// Whatever was written meanwhile differs for a moment; what no cycle mends differs.
void settle(Database& from, Database& to, Pump& pump, const Table& alike, Suspects suspects,
            const DifferingSink& sink) {
  std::vector<DifferingRow> differing;
  for (int look = 0; !suspects.empty(); ++look) {
    if (look >= kLooksMost)
      throw ActFailed("bucket " + alike.bucket + ": " + std::to_string(suspects.size()) +
                      " keys change too fast to be compared");
    pump.cycle();
    std::vector<std::string> keys;
    for (const auto& [key, seen] : suspects) keys.push_back(key);
    Suspects still;
    for (const auto& some : in_parts(keys)) still.merge(suspects_of_keys(from, to, alike, some));
    for (auto each = still.begin(); each != still.end();) {
      if (suspects.at(each->first) == each->second) {
        differing.push_back(
            described(alike.bucket, each->first, each->second.first, each->second.second));
        each = still.erase(each);
      } else {
        ++each;
      }
    }
    suspects = std::move(still);
  }
  if (!differing.empty()) sink(differing);
}

}  // namespace

void verify_keys(Database& from, Database& to, Pump& pump, const KeysByTable& keys,
                 const DifferingSink& differing) {
  for (const auto& [name, some] : keys) {
    const Table& alike = pump.tables().at(name).source;
    some.each_part([&](const std::vector<std::string>& part) {
      settle(from, to, pump, alike, suspects_of_keys(from, to, alike, part), differing);
    });
  }
}

std::vector<DifferingRow> differing_now(Database& from, Database& to, const TablePair& tables,
                                        const std::vector<std::string>& keys) {
  std::vector<DifferingRow> result;
  for (const auto& [key, digest] : suspects_of_keys(from, to, tables.source, keys))
    result.push_back(described(tables.source.bucket, key, digest.first, digest.second));
  return result;
}

Verification verify_tables(Database& from, Database& to, Pump& pump,
                           const std::function<std::vector<VnodeGroup>(const TablePair&)>& groups,
                           const std::function<void(std::uint64_t rows)>& progress,
                           const std::function<bool()>& stopped, const DifferingSink& differing) {
  Verification result;
  result.vnodes = from.plan().vnodes.size();
  const DifferingSink found = [&](const std::vector<DifferingRow>& rows) {
    result.differing_rows += rows.size();
    for (const DifferingRow& row : rows)
      if (result.differing.size() < Verification::kKept) result.differing.push_back(row);
    if (differing) differing(rows);
  };
  for (const auto& [name, pair] : pump.tables()) {
    const Table& alike = pair.source;
    for (const VnodeGroup& group : groups(pair)) {
      if (stopped()) throw ActFailed("stopped");
      const auto both = ask_both(from, to, sums_sql(alike, group));
      const Sums here = sums_of(both.first), there = sums_of(both.second);
      std::uint64_t rows = 0;
      VnodeGroup unlike;
      for (const std::uint64_t vnode : group) {
        const auto a = here.find(std::to_string(vnode)), b = there.find(std::to_string(vnode));
        if (a != here.end()) rows += a->second.rows;
        if ((a == here.end()) != (b == there.end()) ||
            (a != here.end() && !(a->second == b->second)))
          unlike.push_back(vnode);
      }
      result.rows += rows;
      progress(rows);
      if (unlike.empty()) continue;
      each_suspects_of_vnodes(from, to, alike, unlike, [&](Suspects suspects) {
        settle(from, to, pump, alike, std::move(suspects), found);
      });
    }
  }
  return result;
}

}  // namespace reshard
