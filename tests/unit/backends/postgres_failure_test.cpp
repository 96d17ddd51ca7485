// What a server's verdict means, in whatever language it is given.
#include <doctest/doctest.h>

#include "backends/postgres/sql/failure.hpp"

using namespace backends::postgres;
using std::chrono::milliseconds;

namespace {

objects::Error error_of_state(const char* state, const char* message, const char* detail,
                              milliseconds took = {}, milliseconds limit = {}) {
  return error_of(QueryError{state, message, detail, took}, limit);
}

}  // namespace

TEST_CASE("postgres failure: the column and value of a unique index, in the server's language") {
  for (const char* detail :
       {"Key (u)=(a, b) already exists.", "Schlüssel »(u)=(a, b)« existiert bereits.",
        "La clé « (u)=(a, b) » existe déjà.", "(u)=(a, b) というキーはすでに存在します。",
        "Ключ \"(u)=(a, b)\" уже существует."}) {
    CAPTURE(detail);
    const auto taken = taken_value(detail);
    REQUIRE(taken);
    CHECK(taken->column == "u");
    CHECK(taken->value == "a, b");
    CHECK(error_of_state("23505", "…", detail).name == "UniqueAttributeError");
  }
  CHECK(taken_value("Key (lower(s))=(x)=(y)) already exists.")->column == "lower(s)");
  CHECK_FALSE(taken_value(""));
  CHECK_FALSE(taken_value("Key (u) is not there."));
}

TEST_CASE("postgres failure: a limit that has passed is told from a person's cancel") {
  const auto name = [](const char* message, int took, int limit) {
    return error_of_state("57014", message, "", milliseconds(took), milliseconds(limit)).name;
  };
  CHECK(name("canceling statement due to statement timeout", 5, 0) == "QueryTimeoutError");
  CHECK(name("canceling statement due to user request", 500, 100) == "error");
  CHECK(name("breche Anweisung wegen Zeitüberschreitung der Anweisung ab", 100, 100) ==
        "QueryTimeoutError");
  CHECK(name("storniere Anfrage wegen Benutzeraufforderung", 20, 100) == "error");
  CHECK(name("storniere Anfrage wegen Benutzeraufforderung", 20, 0) == "error");
}

TEST_CASE("postgres failure: what may come again is tried again, and all else once at most") {
  for (const char* state : {"22012", "26000"}) {
    CHECK(reads_anew(QueryError{state, "", ""}, 9));
    CHECK_FALSE(reads_anew(QueryError{state, "", ""}, 10));
  }
  CHECK(reads_anew(QueryError{"42703", "", ""}, 1));
  CHECK_FALSE(reads_anew(QueryError{"42703", "", ""}, 2));
  for (const char* state : {"", "23505", "57014"})
    CHECK_FALSE(reads_anew(QueryError{state, "", ""}, 1));
}
