#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace ring {

/// The data of those vnodes that have any, as JSON texts; each distinct text is kept once. Few
/// vnodes with data cost 8 bytes each, many cost one byte for every vnode of the ring.
/// Immutable; any thread.
class VnodeData {
 public:
  VnodeData() = default;
  /// `entries` are sorted by vnode, each vnode once and below `vnode_count`.
  VnodeData(const std::vector<std::pair<std::uint32_t, std::string>>& entries,
            std::size_t vnode_count);

  /// nullptr: the vnode has no data. O(1) for rings with much data or none, else O(log entries).
  [[nodiscard]] const std::string* find(std::uint32_t vnode) const;
  [[nodiscard]] bool empty() const { return texts_.empty(); }
  /// The vnodes that have data, ascending.
  [[nodiscard]] std::vector<std::uint32_t> vnodes() const;
  /// The memory held outside the object itself, in bytes.
  [[nodiscard]] std::size_t bytes() const;

 private:
  std::vector<std::string> texts_;                               // distinct
  std::vector<std::pair<std::uint32_t, std::uint32_t>> sparse_;  // vnode, index of its text
  std::vector<std::uint8_t> dense_;  // by vnode: 0, or the index of its text plus one
};

}  // namespace ring
