// Columns' texts as a server writes them.
#include <doctest/doctest.h>

#include "backends/postgres/sql/column_text.hpp"

using namespace backends::postgres;
using namespace objects;

namespace {

/// What a client sees of it, as JSON.
std::string shown(const char* text, IndexType type) {
  return stringify(to_value(parse_column(text, type), type));
}

}  // namespace

TEST_CASE("postgres column: years of any number of digits, before Christ and after") {
  constexpr IndexType kDate{Scalar::date, false};
  CHECK(shown("2020-01-02 03:04:05.678901+00", kDate) == R"("2020-01-02T03:04:05.678Z")");
  CHECK(shown("10000-01-01 00:00:00+00", kDate) == R"("+010000-01-01T00:00:00.000Z")");
  CHECK(shown("275760-09-13 00:00:00+00", kDate) == R"("+275760-09-13T00:00:00.000Z")");
  CHECK(shown("294276-12-31 23:59:59+00", kDate) == "null");  // no date of JavaScript's
  CHECK(shown("0001-12-31 00:00:00+00 BC", kDate) == R"("0000-12-31T00:00:00.000Z")");
  CHECK(shown("4714-11-24 00:00:00+00 BC", kDate) == R"("-004713-11-24T00:00:00.000Z")");
  CHECK(shown("infinity", kDate) == "null");
  CHECK(shown(R"(["9999-12-31 23:59:59+00","10000-01-01 00:00:00+00"))",
              {Scalar::daterange, false}) ==
        R"-("[9999-12-31T23:59:59.000Z,+010000-01-01T00:00:00.000Z)")-");
}

TEST_CASE("postgres column: an array whose bounds somebody else has chosen") {
  CHECK(shown("{5,NULL}", {Scalar::number, true}) == "[5,null]");
  CHECK(shown("[0:1]={5,6}", {Scalar::number, true}) == "[5,6]");
  CHECK(shown("[-1:-1]={\"a}\"}", {Scalar::string, true}) == R"(["a}"])");
  CHECK(shown("{}", {Scalar::string, true}) == "[]");
  CHECK(shown("none", {Scalar::string, true}) == "[]");
}
