#include "reshard/copy.hpp"

#include <algorithm>

#include "reshard/schema.hpp"

namespace reshard {
namespace {

using backends::postgres::Rows;

constexpr std::size_t kBatchBytes = 4 << 20;
constexpr std::uint64_t kGroupVnodesMost = 5'000;
constexpr std::uint64_t kVnodesPage = 5'000;

/// Ends a COPY in its middle.
struct CopyStopped {};

}  // namespace

std::vector<VnodeGroup> groups_of(const ring::VnodeSet& vnodes, const Table& table,
                                  std::uint64_t owned, std::uint64_t rows) {
  const double per_vnode =
      std::max(table.rows_about / static_cast<double>(std::max<std::uint64_t>(owned, 1)), 1e-9);
  const auto wanted = static_cast<std::uint64_t>(std::clamp(
      static_cast<double>(rows) / per_vnode, 1.0, static_cast<double>(kGroupVnodesMost)));
  std::vector<VnodeGroup> groups;
  vnodes.each([&](ring::Vnode vnode) {
    if (groups.empty() || (table.indexed_by_vnode && groups.back().size() >= wanted))
      groups.emplace_back();
    groups.back().push_back(number(vnode));
  });
  return groups;
}

std::string group_sql(const VnodeGroup& group) { return number_array(group); }

bool copy_table(Database& from, Database& to, Pump& pump, const TablePair& tables,
                const std::vector<VnodeGroup>& groups, bool ids_issued_anew, Throttle& throttle,
                const CopyTold& told) {
  VnodeGroup all;
  for (const VnodeGroup& group : groups) all.insert(all.end(), group.begin(), group.end());
  if (all.empty()) return true;
  {
    Applying transaction(to, "guarded");
    to.apply().run_all("DELETE FROM " + tables.target.name + " WHERE _vnode = ANY(" +
                       group_sql(all) + ")");
    transaction.commit();
  }

  for (const VnodeGroup& group : groups) {
    RowBatch batch;
    const auto flush = [&] {
      const std::uint64_t rows = batch.rows(), bytes = batch.bytes();
      Applying transaction(to, "guarded");
      const auto left = insert_rows(to, tables.target, std::move(batch), ids_issued_anew);
      transaction.commit();
      batch = {};
      if (!left.empty()) pump.log(tables.source.bucket, left);
      told.rows(rows, bytes);
      if (!throttle.took(bytes) || told.stopped()) throw CopyStopped();
    };
    // Not the owner's session, which the log is written by meanwhile.
    try {
      from.apply().copy_out("COPY (SELECT " + selected(tables.source, tables.target, "t") +
                                " FROM " + tables.source.name + " t WHERE t._vnode = ANY(" +
                                group_sql(group) + ")) TO STDOUT (FORMAT binary)",
                            [&](std::string_view piece) {
                              batch.add(piece);
                              if (batch.bytes() >= kBatchBytes) flush();
                            });
      if (!batch.empty()) flush();
    } catch (const CopyStopped&) {
      return false;  // the group is copied again
    }
    told.vnodes(group.size());
    told.between();
    if (told.stopped()) return &group == &groups.back();
  }
  return true;
}

void give_vnodes(Database& source, const Table& table) {
  if (source.owner().run("SELECT 1 FROM " + table.name + " WHERE _vnode IS NULL LIMIT 1").count() ==
      0)
    return;
  std::string after;  // no key comes before it
  for (;;) {
    const backends::postgres::Parameters values{after};
    const std::string page = "SELECT _key, _vnode FROM " + table.name +
                             " WHERE _key >= $1 ORDER BY _key LIMIT " + std::to_string(kVnodesPage);
    const Rows last =
        source.owner().run("SELECT max(_key), count(*) FROM (" + page + ") p", values);
    if (last.null(0, 0)) return;
    // As the replica: what every copy and every cycle will see needs no entry.
    source.apply().run("UPDATE " + table.name + " t SET _vnode = " +
                           key_vnode(table.bucket, "t._key") + " FROM (" + page +
                           ") p WHERE p._key = t._key AND p._vnode IS NULL AND t._vnode IS NULL",
                       values);
    if (std::stoull(last.string(0, 1)) < kVnodesPage) return;
    after = last.string(0, 0);
  }
}

}  // namespace reshard
