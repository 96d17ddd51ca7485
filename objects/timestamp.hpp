#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace objects {

/// Milliseconds since 1970-01-01T00:00:00Z, as JavaScript's Date holds them.
struct Timestamp {
  std::int64_t ms = 0;
  auto operator<=>(const Timestamp&) const = default;
};

/// moray's date: `[±00]YYYY-MM-DDThh:mm:ss[.f…]Z`; the fraction is cut to milliseconds, and a day
/// beyond its month's end runs over as in JavaScript.
std::optional<Timestamp> parse_date(std::string_view text);
/// A bound of a daterange: a date of ISO 8601 with or without a time, of any offset; without one
/// it is UTC.
std::optional<Timestamp> parse_loose_date(std::string_view text);
/// `2020-01-02T03:04:05.000Z`.
std::string to_iso(Timestamp time);
/// PostgreSQL's rendering in UTC: `2020-01-02 03:04:05.123+00`.
std::string to_postgres(Timestamp time);

}  // namespace objects
