#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "reshard/copy.hpp"
#include "reshard/pump.hpp"

namespace reshard {

struct DifferingRow {
  std::string bucket, key;
  std::string what;  ///< `missing at the target`, `not at the source`, `differs`
  bool operator==(const DifferingRow&) const = default;
};

/// Told of differing rows, some thousand at most at a time, while nothing is under way in the
/// sessions: it may use them, and the pump.
using DifferingSink = std::function<void(const std::vector<DifferingRow>& rows)>;

struct Verification {
  static constexpr std::size_t kKept = 1'000;

  std::uint64_t vnodes = 0;  ///< compared
  std::uint64_t rows = 0;    ///< at the source
  std::uint64_t differing_rows =
      0;  ///< the pump has applied a whole cycle, and they differed still
  std::vector<DifferingRow> differing;  ///< the first of them, `kKept` at most
};

/// Compares the moving rows of both sides while they are written to: by vnode, and key by key where
/// a vnode differs; a key counts as differing only when it was the same twice on each side with a
/// whole cycle of the pump between. `progress`: told of rows; `stopped`: asked now and then.
/// Memory: some thousand keys, however many rows differ.
Verification verify_tables(Database& from, Database& to, Pump& pump,
                           const std::function<std::vector<VnodeGroup>(const TablePair&)>& groups,
                           const std::function<void(std::uint64_t rows)>& progress,
                           const std::function<bool()>& stopped,
                           const DifferingSink& differing = {});

/// The same of certain keys alone.
void verify_keys(Database& from, Database& to, Pump& pump, const KeysByTable& keys,
                 const DifferingSink& differing);

/// Those of the keys that are not the same on both sides, at this moment.
std::vector<DifferingRow> differing_now(Database& from, Database& to, const TablePair& tables,
                                        const std::vector<std::string>& keys);

}  // namespace reshard
