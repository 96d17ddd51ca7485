#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "objects/bucket.hpp"
#include "objects/result.hpp"
#include "objects/row.hpp"

namespace objects {

/// Which of the matching rows, in what order: options limit, offset, sort and noLimit.
struct Selection {
  enum class Attribute : std::uint8_t { field, id, mtime, txn_snap, key, etag, vnode };
  struct Key {
    Attribute attribute = Attribute::field;
    std::size_t field = 0;  ///< in Bucket::fields
    bool descending = false;
    bool operator==(const Key&) const = default;
  };

  std::optional<std::uint64_t> limit;  ///< absent: none
  std::uint64_t offset = 0;
  std::vector<Key> sort;
  bool operator==(const Selection&) const = default;
};

/// From checked options. Fails with PostgreSQL's error for an attribute that is no column, and for
/// `_idx`.
Result<Selection> selection_of(const Bucket& bucket, const JsValue& options);

/// A row's values under the sort keys, to be compared with another's.
std::vector<Column> sort_values(const Selection& selection, const Row& row);
/// Whether `a` comes first; NULLs last when ascending.
bool comes_before(const Selection& selection, const std::vector<Column>& a,
                  const std::vector<Column>& b);

}  // namespace objects
