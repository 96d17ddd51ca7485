// Filters over rows: what columns decide, what the object must, what moray refuses.
#include <doctest/doctest.h>

#include "objects/condition.hpp"
#include "objects/selection.hpp"
#include "tests/unit/objects/values.hpp"

using namespace objects;

namespace {

const char* kIndex =
    R"({"s":{"type":"string"},"n":{"type":"number"},"b":{"type":"boolean"},"as":{"type":"[string]"},
        "ip":{"type":"ip"},"net":{"type":"subnet"},"d":{"type":"date"},"r":{"type":"numrange"},
        "an":{"type":"[number]"}})";

Row row_of(const Bucket& bucket, const char* object) {
  Row row;
  row.key = "key/1";
  row.id = 7;
  row.etag = "ABCDEF01";
  row.value = object;
  const JsValue parsed = value(object);
  auto columns = columns_of(bucket, *parsed.object());
  REQUIRE(columns);
  row.columns = *columns;
  return row;
}

/// "yes", "no" as SQL decides and the object confirms; or the error.
std::string match(const char* filter, const char* object) {
  const Bucket bucket = bucket_with(kIndex);
  const ParsedFilter parsed = parse_filter(filter);
  REQUIRE(parsed.filter);
  const auto compiled = compile(bucket, *parsed.filter, Purpose::find);
  if (!compiled) return compiled.error().name + ": " + compiled.error().message;
  if (compiled->at_execution) return compiled->at_execution->message;
  const Row row = row_of(bucket, object);
  if (decide(compiled->condition, row) != Truth::yes) return "no";
  const auto made = object_of(bucket, row);
  REQUIRE(made);
  return holds(compiled->condition, row, *made) ? "yes" : "not by its object";
}

}  // namespace

TEST_CASE("condition: comparisons by type") {
  CHECK(match("(n=5)", R"({"n":5})") == "yes");
  CHECK(match("(n=5.0)", R"({"n":5})") == "yes");
  CHECK(match("(n>=6)", R"({"n":5})") == "no");
  CHECK(match("(n<=5)", R"({"n":"5"})") == "yes");
  CHECK(match("(n=5)", R"({})") == "no");
  CHECK(match("(b=true)", R"({"b":true})") == "yes");
  CHECK(match("(s>=b)", R"({"s":"c"})") == "yes");
  CHECK(match("(as=two)", R"({"as":["one","two"]})") == "yes");
  CHECK(match("(as=three)", R"({"as":["one","two"]})") == "no");
  CHECK(match("(ip=10.0.0.1)", R"({"ip":"10.0.0.1"})") == "yes");
  CHECK(match("(d>=2020-01-01T00:00:00Z)", R"({"d":"2020-06-01T00:00:00Z"})") == "yes");
  CHECK(match("(n=*)", R"({"n":1})") == "yes");
  CHECK(match("(n=*)", R"({})") == "no");
}

TEST_CASE("condition: a NaN is counted by PostgreSQL's order and dropped by moray's matcher") {
  CHECK(match("(n>=0)", R"({"n":"abc"})") == "not by its object");
  CHECK(match("(n<=0)", R"({"n":"abc"})") == "no");
  CHECK(match("(n=*)", R"({"n":"abc"})") == "yes");
}

TEST_CASE("condition: what is no finite number lies beyond every bound of a range") {
  const char* above = R"-({"r":"[1,)"})-";
  CHECK(match("(r:contains:=Infinity)", above) == "yes");
  CHECK(match("(r:contains:=-Infinity)", above) == "no");
  CHECK(match("(r:contains:=Infinity)", R"({"r":"[1,9]"})") == "no");
  CHECK(match("(r:contains:=-Infinity)", R"({"r":"[,9]"})") == "yes");
  CHECK(match("(r:contains:=Infinity)", R"-({"r":"(1,1)"})-") == "no");
  CHECK(match("(n:within:=[1,\\))", R"({"n":"Infinity"})") == "yes");
  CHECK(match("(n:within:=[1,\\))", R"({"n":"abc"})") == "not by its object");
}

TEST_CASE("condition: a range's bound has no more digits than PostgreSQL's numeric") {
  const std::string begin = "(r:overlaps:=[0." + std::string(16'382, '0');
  CHECK(match((begin + "1,])").c_str(), R"({"r":"[1,9]"})") == "yes");
  CHECK(match((begin + "01,])").c_str(), "{}").starts_with("InvalidQueryError"));
  CHECK(match(("(r:overlaps:=[0" + std::string(131'073, '1') + ",])").c_str(), "{}")
            .starts_with("InvalidQueryError"));
}

TEST_CASE("condition: a value that is no number matches nothing, and its negation everything") {
  for (const char* object : {"{}", R"({"n":1,"as":["a"],"r":"[1,9]"})", R"({"n":"abc"})"}) {
    CAPTURE(object);
    CHECK(match("(n<=abc)", object) == "no");
    CHECK(match("(!(n<=abc))", object) == "yes");
    CHECK(match("(!(r:contains:=abc))", object) == "yes");
    CHECK(match("(!(an>=abc))", object) == "yes");
  }
  CHECK(match("(!(an>=abc))", R"({"an":[1,null]})") == "yes");
}

TEST_CASE("condition: substrings are anchored, and have no wildcards but the star") {
  CHECK(match("(s=a*)", R"({"s":"abc"})") == "yes");
  CHECK(match("(s=*c)", R"({"s":"abc"})") == "yes");
  CHECK(match("(s=a*c)", R"({"s":"abc"})") == "yes");
  CHECK(match("(s=a*b)", R"({"s":"abc"})") == "no");
  CHECK(match("(s=a_*)", R"({"s":"abc"})") == "no");
  CHECK(match("(s=a%*)", R"({"s":"a%c"})") == "yes");
  CHECK(match("(_key=key/*)", "{}") == "yes");
}

TEST_CASE("condition: a substring is converted as a whole text is") {
  CHECK(match("(s=a\\00*)", "{}") ==
        "InvalidQueryError: (s=a" + std::string(1, '\0') + "*) is an invalid filter");
  CHECK(match("(!(s=*\\00))", R"({"s":"a"})").starts_with("InvalidQueryError"));
  CHECK(match("(s:caseIgnoreSubstringsMatch:=*\\00*)", "{}").starts_with("InvalidQueryError"));
  CHECK(match("(s=a\xed\xa0\x80*)", R"({"s":"a\ud800b"})") == "yes");  // as in "(s=a\ud800b)"
}

TEST_CASE("condition: extensible rules") {
  CHECK(match("(s:caseIgnoreMatch:=ABC)", R"({"s":"abc"})") == "yes");
  CHECK(match("(s:caseIgnoreSubstringsMatch:=A*C)", R"({"s":"abc"})") == "yes");
  CHECK(match("(r:contains:=5)", R"({"r":"[1,9]"})") == "yes");
  CHECK(match("(r:overlaps:=[9,12])", R"({"r":"[1,9]"})") == "yes");
  CHECK(match("(r:overlaps:=[10,12])", R"({"r":"[1,9]"})") == "no");
  CHECK(match("(n:within:=[1,5])", R"({"n":5})") == "yes");
  CHECK(match("(net:contains:=10.1.2.3)", R"({"net":"10.0.0.0/8"})") == "yes");
  CHECK(match("(s:nonsense:=x)", "{}") == "Error: unsupported ext filter");
  CHECK(match("(s~=x)", "{}") == "Error: approx filters not allowed");
}

TEST_CASE("condition: what no column decides is looked up in the object, but never alone") {
  CHECK(match("(&(n=1)(other=x))", R"({"n":1,"other":"x"})") == "yes");
  CHECK(match("(&(n=1)(other=x))", R"({"n":1,"other":"y"})") == "not by its object");
  CHECK(match("(other=x)", "{}") == "InvalidQueryError: (other=x) is an invalid filter");
  CHECK(match("(|(n=1)(other=x))", "{}") ==
        "NotIndexedError: b does not have indexes that support (|(n=1)(other=x))");
  CHECK(match("(!(n=1))", R"({"n":2})") == "yes");
  CHECK(match("(n<=abc)", R"({"n":1})") ==
        "no");  // moray counts all rows, and its updateObjects changes them
  CHECK(match("(d=abc)", "{}") == "InvalidQueryError: (d=abc) is an invalid filter");
}

TEST_CASE("condition: each row has moray's own members, so that their presence chooses none") {
  for (const char* name : {"_id", "_key", "_etag", "_mtime", "_count"}) {
    const std::string present = "(" + std::string(name) + "=*)";
    CAPTURE(present);
    CHECK(match(("(&(n=1)" + present + ")").c_str(), R"({"n":1})") == "yes");
    CHECK(match(("(&(n=1)(!" + present + "))").c_str(), R"({"n":1})") == "no");
    CHECK(match(present.c_str(), "{}").starts_with("InvalidQueryError"));
  }
  CHECK(match("(&(n=1)(_txn_snap=*))", R"({"n":1})") == "no");
  CHECK(match("(&(n=1)(_value=*))", R"({"n":1})") == "not by its object");
}

// Each level copied all that was within it once: a minute of a worker's time for a thousand.
TEST_CASE("condition: as deep as a filter may be") {
  std::string text;
  for (std::size_t i = 0; i + 2 < kFilterDepthMax; ++i) text += "(!";
  text += "(n=1)" + std::string(kFilterDepthMax - 2, ')');
  CHECK(match(text.c_str(), R"({"n":1})") == (kFilterDepthMax % 2 == 0 ? "yes" : "no"));
}

// A level that kept all that is within it took a thousand times a request's memory.
TEST_CASE("condition: a negation keeps no copy of what it negates") {
  const auto parsed = parse_filter("(!(!(n=1)))");
  REQUIRE(parsed.filter);
  const auto compiled = compile(bucket_with(kIndex), *parsed.filter, Purpose::find);
  REQUIRE(compiled);
  CHECK(compiled->condition.filter == Filter{});
  CHECK(compiled->condition.children.front().filter == Filter{});
}

// The filter's names were compared with each other: seconds of a worker's time for a request.
TEST_CASE("condition: as many fields as a filter may name") {
  std::string text = "(|";
  for (std::size_t i = 2; i < kFilterPartsMax; ++i) text += "(f" + std::to_string(i) + "=1)";
  CHECK(parse_filter(text + "(f1=2)(!(f1=2)))").problem == "too many parts");
  const auto parsed = parse_filter(text + "(f2=2))");
  REQUIRE(parsed.filter);
  const auto error = check_usable_fields(bucket_with(kIndex), *parsed.filter, "it");
  REQUIRE(error);
  CHECK(error->name == "NotIndexedError");
}

TEST_CASE("selection: limits, offsets and sorts as moray reads them") {
  const Bucket bucket = bucket_with(kIndex);
  CHECK(selection_of(bucket, value("{}"))->limit == 1000u);
  CHECK(selection_of(bucket, value(R"({"limit":5,"offset":"2"})"))->limit == 5u);
  CHECK(selection_of(bucket, value(R"({"limit":5,"offset":"2"})"))->offset == 2u);
  CHECK(selection_of(bucket, value(R"({"limit":0})"))->limit == 1000u);
  CHECK_FALSE(selection_of(bucket, value(R"({"noLimit":true})"))->limit);
  CHECK(selection_of(bucket, value(R"({"noLimit":true,"limit":3})"))->limit == 3u);
  CHECK(selection_of(bucket, value(R"({"sort":{"attribute":"N","order":"desc"}})"))
            ->sort.at(0)
            .descending);
  CHECK(selection_of(bucket, value(R"({"sort":{"attribute":"zzz"}})")).error().message ==
        "column \"zzz\" does not exist");
  CHECK(selection_of(bucket, value(R"({"sort":{"attribute":"_idx"}})")).error().message ==
        "sorting on \"_idx\" is not allowed");
}

TEST_CASE("selection: NULLs come last ascending and first descending") {
  const Bucket bucket = bucket_with(kIndex);
  const auto order = [&](const char* options, const char* a, const char* b) {
    const Selection selection = *selection_of(bucket, value(options));
    return comes_before(selection, sort_values(selection, row_of(bucket, a)),
                        sort_values(selection, row_of(bucket, b)));
  };
  const char* ascending = R"({"sort":{"attribute":"n","order":"ASC"}})";
  const char* descending = R"({"sort":{"attribute":"n","order":"DESC"}})";
  CHECK(order(ascending, R"({"n":1})", R"({"n":2})"));
  CHECK(order(ascending, R"({"n":1})", "{}"));
  CHECK(order(descending, "{}", R"({"n":1})"));
  CHECK(order(descending, R"({"n":10})", R"({"n":9})"));
  CHECK_FALSE(order(ascending, "{}", "{}"));
}
