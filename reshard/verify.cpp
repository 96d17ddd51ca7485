#include "reshard/verify.hpp"

#include <map>
#include <utility>

#include "reshard/row_sums.hpp"
#include "reshard/suspects.hpp"

namespace reshard {
namespace {

constexpr int kSettleLooksMost = 50;  ///< at keys that are written all the time

DifferingRow described(const std::string& bucket, const std::string& key, const std::string& here,
                       const std::string& there) {
  return {bucket, key,
          there.empty()  ? "missing at the target"
          : here.empty() ? "not at the source"
                         : "differs"};
}

/// Whatever was written meanwhile differs for a moment; what no cycle mends differs.
void settle(Database& from, Database& to, Pump& pump, const TablePair& pair, Suspects suspects,
            const DifferingSink& sink) {
  const std::string& bucket = pair.source.bucket;
  std::vector<DifferingRow> differing;
  for (int look = 0; !suspects.empty(); ++look) {
    if (look >= kSettleLooksMost)
      throw ActFailed("bucket " + bucket + ": " + std::to_string(suspects.size()) +
                      " keys change too fast to be compared");
    pump.cycle();
    std::vector<std::string> keys;
    for (const auto& [key, seen] : suspects) keys.push_back(key);
    Suspects still;
    for (const auto& some : in_parts(keys)) still.merge(suspects_of_keys(from, to, pair, some));
    for (auto each = still.begin(); each != still.end();) {
      if (suspects.at(each->first) == each->second) {
        differing.push_back(
            described(bucket, each->first, each->second.first, each->second.second));
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
    const TablePair& pair = pump.tables().at(name);
    some.each_part([&](const std::vector<std::string>& part) {
      settle(from, to, pump, pair, suspects_of_keys(from, to, pair, part), differing);
    });
  }
}

std::vector<DifferingRow> differing_now(Database& from, Database& to, const TablePair& tables,
                                        const std::vector<std::string>& keys) {
  std::vector<DifferingRow> result;
  for (const auto& [key, digest] : suspects_of_keys(from, to, tables, keys))
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
    for (const VnodeGroup& group : groups(pair)) {
      if (stopped()) throw ActFailed("stopped");
      const auto [here, there] = sums_of(from.owner(), to.owner(), pair, group);
      std::uint64_t rows = 0;
      VnodeGroup unlike;
      for (const std::uint64_t vnode : group) {
        const auto a = here.find(vnode), b = there.find(vnode);
        if (a != here.end()) rows += a->second.rows;
        if ((a == here.end()) != (b == there.end()) ||
            (a != here.end() && !(a->second == b->second)))
          unlike.push_back(vnode);
      }
      result.rows += rows;
      progress(rows);
      if (unlike.empty()) continue;
      each_suspects_of_vnodes(from, to, pair, unlike, [&](Suspects suspects) {
        settle(from, to, pump, pair, std::move(suspects), found);
      });
    }
  }
  return result;
}

}  // namespace reshard
