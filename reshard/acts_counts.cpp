// What a coordinator does for counts of directories, and with rows of a copy that is given up.
#include <algorithm>

#include "reshard/clean.hpp"
#include "reshard/counts.hpp"
#include "reshard/executor.hpp"

namespace reshard {
namespace {

constexpr std::uint64_t kCountGroupRows = 20'000;
constexpr std::size_t kCountsListed = 20;  ///< wrong counts that are told one by one

}  // namespace

/// The copy itself does not count: from here on everything that brings or takes a row does.
void Executor::count_copied() {
  for (const auto& [name, pair] : forward_.tables()) {
    std::uint64_t& done = state_.copied[pair.source.bucket + " counts"];
    if (pair.target.counted_in.empty() || done != 0) continue;
    watcher_.event("counts of directories");
    for (const VnodeGroup& group : groups(pair.source, kCountGroupRows))
      recount(target_, pair.target, group, "guarded");
    done = 1;
  }
}

/// As rows are at the target.
void Executor::verify_counts() {
  for (const auto& [name, pair] : forward_.tables()) {
    if (pair.target.counted_in.empty()) continue;
    for (const VnodeGroup& group : groups(pair.source, kCountGroupRows)) {
      const auto wrong = miscounted(target_.owner(), pair.target, group);
      for (std::size_t i = 0; i < std::min(wrong.size(), kCountsListed); ++i)
        watcher_.alarm(std::string("bucket ") + kDirectoryCounts + ", key " + wrong[i].directory +
                       ": it says " + (wrong[i].counted.empty() ? "nothing" : wrong[i].counted) +
                       ", and the target has " + std::to_string(wrong[i].rows) +
                       " rows there; they are counted anew");
      if (!wrong.empty()) recount(target_, pair.target, group, "guarded");
    }
  }
}

/// A copy that was cut off has brought rows that nobody has counted.
void Executor::drop_copied(const ring::VnodeSet& vnodes) {
  Throttle throttle;
  const bool all = vnodes == plan_.vnodes;
  for (const auto& [name, pair] : forward_.tables()) {
    Table table = pair.target;
    auto some = groups(pair.source, kCountGroupRows);
    for (VnodeGroup& group : some)
      std::erase_if(group, [&](std::uint32_t vnode) {
        return !vnodes.contains(static_cast<ring::Vnode>(vnode));
      });
    std::erase_if(some, [](const VnodeGroup& group) { return group.empty(); });
    if (!table.counted_in.empty() && ids_kept_ && all) {
      Applying transaction(target_, "guarded");
      target_.apply().run_all("DELETE FROM " +
                              table.counted_in);  // it had no rows, and so no counts
      transaction.commit();
      table.counted_in = {};
    } else if (!table.counted_in.empty()) {
      for (const VnodeGroup& group : some) recount(target_, table, group, "guarded");
    }
    clean_table(
        target_, table, some, "guarded", throttle, [](std::uint64_t) {}, [] { return false; });
  }
}

}  // namespace reshard
