#include "reshard/compare.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "reshard/row_sums.hpp"

namespace reshard {
namespace {

using backends::postgres::Rows;
using backends::postgres::Session;

constexpr std::uint64_t kPartRows = 20'000;
constexpr std::size_t kDoubtBytes = 200;  ///< of a doubt, beside its texts: two digests, a node
constexpr int kLooksMost = 100;
constexpr int kLooksInVain = 3;  ///< where nobody carries anything over

/// Of a vnode whose sums differ: the keys that are not alike, read in parts of about `kPartRows`.
void doubt_vnode(const ComparedSides& sides, const TablePair& pair, std::uint64_t vnode,
                 std::uint64_t rows,
                 const std::function<void(std::vector<std::string> keys)>& found) {
  const std::uint64_t parts = rows / kPartRows + 1;
  for (std::uint64_t part = 0; part < parts; ++part) {
    std::string where = "t._vnode = " + std::to_string(vnode);
    if (parts > 1)
      where += " AND mod(('x' || substr(md5(t._key), 1, 8))::bit(32)::bigint, " +
               std::to_string(parts) + ") = " + std::to_string(part);
    const auto both = ask_both(sides.from, sides.to, digests_sql(pair, where));
    const auto here = digests_of(both.first), there = digests_of(both.second);
    std::vector<std::string> keys;
    for (const auto& [key, digest] : here) {
      const auto other = there.find(key);
      if (other == there.end() || other->second != digest) keys.push_back(key);
    }
    for (const auto& [key, digest] : there)
      if (!here.contains(key)) keys.push_back(key);
    if (!keys.empty()) found(std::move(keys));
  }
}

}  // namespace

bool Doubts::add(const std::string& bucket, const std::vector<std::string>& keys) {
  auto& here = keys_[bucket];
  for (const std::string& key : keys) {
    if (bytes_ + key.size() + kDoubtBytes > kBytesMost) return false;
    if (!here.try_emplace(key).second) continue;
    ++count_;
    bytes_ += key.size() + kDoubtBytes;
  }
  return true;
}

void Doubts::clear() {
  keys_.clear();
  count_ = bytes_ = 0;
}

std::vector<DifferingRow> Doubts::look(const ComparedSides& sides,
                                       const std::map<std::string, TablePair>& tables) {
  std::vector<DifferingRow> differing;
  for (auto& [bucket, doubts] : keys_) {
    const auto pair = tables.find(bucket);
    if (pair == tables.end()) continue;
    std::vector<std::string> keys;
    for (const auto& [key, doubt] : doubts) keys.push_back(key);
    for (const auto& some : in_parts(keys)) {
      const backends::postgres::Parameters list{text_array(some)};
      const auto digests = digests_sql(pair->second, "t._key = ANY($1::text[])");
      // One after the other: the other side is to have all that had no entry before.
      const Rows here = sides.from.run(
          "SELECT k.key, r.digest, l.key IS NOT NULL FROM unnest($1::text[]) k(key) LEFT JOIN (" +
              digests.first +
              ") r ON r.key = k.key LEFT JOIN (SELECT DISTINCT key FROM moray_router.reshard_log "
              "WHERE bucket = $2) l ON l.key = k.key",
          {list.front(), bucket});
      const auto there = digests_of(sides.to.run(digests.second, list));
      for (int i = 0; i < here.count(); ++i) {
        const auto doubt = doubts.find(here.string(i, 0));
        const auto other = there.find(doubt->first);
        Doubt now{here.text(i, 2) == "f", here.null(i, 1) ? "" : here.string(i, 1),
                  other == there.end() ? "" : other->second};
        const bool differs = now.seen && doubt->second.seen && now.from == doubt->second.from &&
                             now.to == doubt->second.to;
        if (now.from != now.to && !differs) {
          doubt->second = std::move(now);
          continue;
        }
        if (now.from != now.to)
          differing.push_back({bucket, doubt->first,
                               now.to.empty()     ? "missing at the " + sides.to_name
                               : now.from.empty() ? "not at the " + sides.from_name
                                                  : "differs"});
        --count_;
        bytes_ -= doubt->first.size() + kDoubtBytes;
        doubts.erase(doubt);
      }
    }
  }
  return differing;
}

Comparison compare_sides(const ComparedSides& sides, const std::map<std::string, TablePair>& tables,
                         const std::function<std::vector<VnodeGroup>(const Table&)>& groups,
                         const ComparisonTold& told) {
  Comparison result;
  Doubts doubts;
  const auto settle = [&] {
    int in_vain = 0;
    for (int look = 0; !doubts.empty() && look < kLooksMost; ++look) {
      if (told.stopped()) throw ActFailed("stopped");
      for (DifferingRow& row : doubts.look(sides, tables)) {
        ++result.differ;
        if (result.differing.size() < Comparison::kListed)
          result.differing.push_back(std::move(row));
      }
      if (doubts.empty()) break;
      if (!told.again() && ++in_vain >= kLooksInVain) break;
    }
    result.pending += doubts.size();
    doubts.clear();
  };
  for (const auto& [bucket, pair] : tables) {
    told.table(bucket);
    result.vnodes = 0;  // each table has all of them
    const std::string& name = bucket;
    const auto doubt = [&](std::vector<std::string> keys) {
      for (const auto& some : in_parts(keys)) {
        if (doubts.add(name, some)) continue;
        settle();
        doubts.add(name, some);
      }
    };
    for (const VnodeGroup& group : groups(pair.source)) {
      if (told.stopped()) throw ActFailed("stopped");
      const auto [here, there] = sums_of(sides.from, sides.to, pair, group);
      std::uint64_t rows = 0;
      for (const std::uint64_t vnode : group) {
        const auto a = here.find(vnode), b = there.find(vnode);
        const VnodeSum mine = a == here.end() ? VnodeSum() : a->second;
        const VnodeSum other = b == there.end() ? VnodeSum() : b->second;
        rows += mine.rows;
        if (mine == other) continue;
        if (told.stopped()) throw ActFailed("stopped");
        doubt_vnode(sides, pair, vnode, std::max(mine.rows, other.rows), doubt);
      }
      result.vnodes += group.size();
      result.rows += rows;
      told.rows(rows);
    }
  }
  settle();
  return result;
}

}  // namespace reshard
