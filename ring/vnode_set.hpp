#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ring/ring.hpp"

namespace ring {

/// Some vnodes of a ring, as ascending ranges that neither touch nor overlap. A value; any thread
/// may read it.
class VnodeSet {
 public:
  struct Range {
    std::uint32_t first = 0;
    std::uint32_t last = 0;  ///< belongs to it
    bool operator==(const Range&) const = default;
  };

  VnodeSet() = default;
  /// In any order, repeated or not. O(n log n).
  static VnodeSet of(std::vector<std::uint32_t> vnodes);
  static VnodeSet of_ranges(std::vector<Range> ranges);
  /// Numbers and ranges `first-last` between commas and white space: `0-49999, 105`. Throws
  /// std::invalid_argument naming the member that is neither, or a range that runs backwards.
  static VnodeSet parse(std::string_view text);

  [[nodiscard]] bool contains(Vnode vnode) const;  ///< O(log ranges)
  [[nodiscard]] bool empty() const { return ranges_.empty(); }
  [[nodiscard]] std::uint64_t size() const;  ///< vnodes; O(ranges)
  [[nodiscard]] const std::vector<Range>& ranges() const { return ranges_; }
  [[nodiscard]] std::string to_text() const;  ///< what `parse` takes: `0-49999,105`
  [[nodiscard]] VnodeSet united(const VnodeSet& other) const;
  [[nodiscard]] VnodeSet without(const VnodeSet& other) const;
  /// Of those, the ones that lie in both.
  [[nodiscard]] VnodeSet common(const VnodeSet& other) const { return without(without(other)); }

  /// Calls `visit(Vnode)` for each, ascending.
  template <typename Visit>
  void each(Visit visit) const {
    for (const Range& range : ranges_)
      for (std::uint64_t vnode = range.first; vnode <= range.last; ++vnode)
        visit(static_cast<Vnode>(vnode));
  }

  bool operator==(const VnodeSet&) const = default;

 private:
  std::vector<Range> ranges_;
};

}  // namespace ring
