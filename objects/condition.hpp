#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "objects/bucket.hpp"
#include "objects/column.hpp"
#include "objects/filter.hpp"
#include "objects/result.hpp"
#include "objects/row.hpp"

namespace objects {

/// A column that a condition looks at: an index field or one of moray's own.
struct Target {
  enum class Internal : std::uint8_t { none, id, mtime, txn_snap, key, etag };
  Internal internal = Internal::none;
  std::size_t field = 0;  ///< in Bucket::fields, where not internal
  IndexType type;
  bool operator==(const Target&) const = default;
};

/// A filter made for a bucket: what a store decides by its columns, and what is left to look up in
/// each object (spec moray-postgres 8). The exact meaning that moray aims at: anchored substrings,
/// no wildcards in values. `decide` orders
/// a stored NaN as PostgreSQL does, above all numbers; `holds` drops it, as moray's matcher does. A
/// tree; a value.
struct Condition {
  enum class Kind : std::uint8_t {
    equal,
    greater_or_equal,
    less_or_equal,
    substring,
    present,
    equal_ignoring_case,
    substring_ignoring_case,
    overlaps,
    contains,
    within,
    unknown,  ///< no column decides it: `filter` is matched against the object
    conjunction,
    disjunction,
    negation,
  };

  Kind kind = Kind::unknown;
  Target target;
  std::optional<Element> value;  ///< comparisons and ranges; a NaN never matches
  Filter filter;                 ///< substrings: the parts; unknown: the whole
  std::vector<Condition> children;
  bool decided = false;  ///< a store can decide at least a part of it
  bool exact = false;    ///< a store decides all of it
};

/// A filter made ready, and the error with which PostgreSQL would end the statement at its first
/// row.
struct Compiled {
  Condition condition;
  Failed at_execution;
};

/// What the filter is for: a statement that writes must not guess.
enum class Purpose : std::uint8_t { find, write };

/// Fails as moray does: InvalidQueryError, NotIndexedError, Error (spec moray-rpc 9.3).
Result<Compiled> compile(const Bucket& bucket, const Filter& filter, Purpose purpose);

/// The longer NotIndexedError where a field of the filter is not usable; `raw` is the client's
/// text.
Failed check_usable_fields(const Bucket& bucket, const Filter& filter, const std::string& raw);

/// SQL's three values.
enum class Truth : std::uint8_t { no, yes, null };
/// What the store's part of the condition makes of a row.
Truth decide(const Condition& condition, const Row& row);

/// Whether the whole condition holds: columns where they decide, `object` elsewhere.
bool holds(const Condition& condition, const Row& row, const JsObject& object);

}  // namespace objects
