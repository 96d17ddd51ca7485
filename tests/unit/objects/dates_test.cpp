// Dates at the edges of what JavaScript and PostgreSQL can say.
#include <doctest/doctest.h>

#include "objects/column.hpp"
#include "objects/convert.hpp"
#include "objects/timestamp.hpp"

using namespace objects;

namespace {

constexpr IndexType kDate{Scalar::date, false};
constexpr IndexType kDateRange{Scalar::daterange, false};

std::string stored(IndexType type, const char* text) {
  const auto column = convert("f", type, text);
  if (!column) return column.error().name + ": " + column.error().message;
  CHECK(column_of(to_stored(*column, type), type) == *column);
  return to_postgres(*column, type);
}

}  // namespace

TEST_CASE("dates: what a put may store is read back, beyond four digits of a year too") {
  CHECK(stored(kDate, "9999-12-31T24:00:00Z") == "10000-01-01 00:00:00+00");
  CHECK(stored(kDate, "+010000-01-01T00:00:00Z").starts_with("InvalidIndexTypeError"));
  CHECK(stored(kDateRange, "[9999-12-31T23:00:00-02:00,)") == "[\"10000-01-01 01:00:00+00\",)");
  CHECK(stored(kDateRange, "[-000001-01-01,+275760-09-13]") ==
        "[\"0002-01-01 00:00:00+00 BC\",\"275760-09-13 00:00:00+00\"]");
  CHECK(stored(kDateRange, "[,+275760-09-14]").starts_with("InvalidIndexTypeError"));
}

TEST_CASE("dates: a range that begins before PostgreSQL's first day is refused in its words") {
  CHECK(stored(kDateRange, "[-004713-11-24,)") == "[\"4714-11-24 00:00:00+00 BC\",)");
  CHECK(stored(kDateRange, "[-004713-11-23,)") ==
        "error: timestamp out of range: \"4714-11-23 00:00:00+00 BC\"");
  CHECK_FALSE(convert_filter_value(Scalar::daterange, "[-009999-01-01,]"));
}

TEST_CASE("dates: every year that JavaScript has") {
  for (const int year : {-271821 + 1, -99999, -32769, -4713, -400, -1, 0, 1, 399, 400, 1970, 9999,
                         10000, 32768, 100000, 275760}) {
    CAPTURE(year);
    char text[32];
    std::snprintf(text, sizeof text, year < 0 || year > 9999 ? "%+07d-02-28" : "%04d-02-28", year);
    const auto time = parse_loose_date(text);
    REQUIRE(time);
    CHECK(to_iso(*time) == std::string(text) + "T00:00:00.000Z");
  }
}
