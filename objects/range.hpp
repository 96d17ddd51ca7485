#pragma once

#include <optional>
#include <string_view>

#include "objects/decimal.hpp"
#include "objects/timestamp.hpp"

namespace objects {

/// A range in PostgreSQL's canonical form: an unbounded side is exclusive, and a range without
/// points is `empty`, its bounds absent. A value.
template <typename Bound>
struct Range {
  std::optional<Bound> lower;
  std::optional<Bound> upper;
  bool lower_included = false;
  bool upper_included = false;
  bool empty = false;

  bool operator==(const Range&) const = default;
  /// PostgreSQL's order: empty ranges first, then by lower bound, then by upper.
  std::strong_ordering operator<=>(const Range& other) const {
    if (empty || other.empty) return other.empty <=> empty;
    if (const auto order = compare_lower(*this, other); order != 0) return order;
    return compare_upper(*this, other);
  }

  [[nodiscard]] bool contains(const Bound& point) const {
    if (empty) return false;
    if (lower && (point < *lower || (point == *lower && !lower_included))) return false;
    return !(upper && (*upper < point || (point == *upper && !upper_included)));
  }
  [[nodiscard]] bool overlaps(const Range& other) const {
    return !empty && !other.empty && begins_before_end_of(other) &&
           other.begins_before_end_of(*this);
  }

 private:
  static std::strong_ordering compare_lower(const Range& a, const Range& b) {
    if (!a.lower || !b.lower) return a.lower.has_value() <=> b.lower.has_value();
    if (const auto order = *a.lower <=> *b.lower; order != 0) return order;
    return b.lower_included <=> a.lower_included;
  }
  static std::strong_ordering compare_upper(const Range& a, const Range& b) {
    if (!a.upper || !b.upper) return b.upper.has_value() <=> a.upper.has_value();
    if (const auto order = *a.upper <=> *b.upper; order != 0) return order;
    return a.upper_included <=> b.upper_included;
  }
  [[nodiscard]] bool begins_before_end_of(const Range& other) const {
    if (!lower || !other.upper) return true;
    return *lower < *other.upper ||
           (*lower == *other.upper && lower_included && other.upper_included);
  }
};

using NumberRange = Range<Decimal>;
using DateRange = Range<Timestamp>;

/// Why a text is no range: not of its form, or its lower bound lies above its upper one.
enum class RangeFault { form, order };

template <typename Bound>
struct ParsedRange {
  std::optional<Range<Bound>> range;
  RangeFault fault = RangeFault::form;
};

/// `[` or `(`, an optional bound, `,`, an optional bound, `]` or `)`; or `empty` where allowed.
ParsedRange<Decimal> parse_number_range(std::string_view text);
ParsedRange<Timestamp> parse_date_range(std::string_view text);
std::string to_string(const NumberRange& range);
std::string to_string(const DateRange& range);    ///< bounds in ISO form
std::string to_postgres(const DateRange& range);  ///< bounds as PostgreSQL prints them

}  // namespace objects
