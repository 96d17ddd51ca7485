// The recordings of moray's own functions: tests/data/moray (etags, filters).
#include <doctest/doctest.h>

#include "objects/etag.hpp"
#include "objects/filter.hpp"
#include "tests/support/test_data.hpp"
#include "tests/unit/objects/values.hpp"

using namespace objects;

namespace {

JsValue structure(const Filter& filter) {
  using Kind = Filter::Kind;
  JsObject out;
  static constexpr const char* kNames[] = {"equal",     "ge",  "le",  "approx", "present",
                                           "substring", "ext", "and", "or",     "not"};
  out.set("type", kNames[static_cast<int>(filter.kind)]);
  if (filter.kind == Kind::conjunction || filter.kind == Kind::disjunction) {
    JsArray children;
    for (const Filter& child : filter.children) children.push_back(structure(child));
    out.set("filters", std::move(children));
    return out;
  }
  if (filter.kind == Kind::negation) {
    out.set("filter", structure(filter.children.front()));
    return out;
  }
  out.set("attribute", filter.attribute);
  if (filter.kind == Kind::extensible) {
    out.set("rule", filter.rule ? JsValue(*filter.rule) : JsValue());
    out.set("value", filter.value);
    out.set("dnAttributes", filter.dn_attributes);
  } else if (filter.kind != Kind::present && filter.kind != Kind::substring) {
    out.set("value", filter.value);
  }
  if (filter.split) {
    JsArray any;
    for (const std::string& part : filter.any) any.emplace_back(part);
    out.set("initial", filter.initial);
    out.set("any", std::move(any));
    out.set("final", filter.final);
  }
  return out;
}

}  // namespace

TEST_CASE("etag: stored texts and sums are moray's, as recorded") {
  const auto lines = test_support::read_lines(test_support::data_path("moray/etags.jsonl.gz"));
  CHECK(lines.size() > 50);
  for (const std::string& line : lines) {
    CAPTURE(line);
    const JsValue recorded = value(line);
    const std::string stored = stringify(value(*recorded.get("value")->string()));
    CHECK(stored == *recorded.get("stored")->string());
    CHECK(etag_of(stored) == *recorded.get("etag")->string());
  }
}

TEST_CASE("filter: 240 recorded texts parse, fail and print as moray's") {
  const auto lines = test_support::read_lines(test_support::data_path("moray/filters.jsonl.gz"));
  CHECK(lines.size() == 240);
  for (const std::string& line : lines) {
    CAPTURE(line);
    const JsValue recorded = value(line);
    const ParsedFilter parsed = parse_filter(*recorded.get("filter")->string());
    if (const JsValue* error = recorded.get("error")) {
      CHECK_FALSE(parsed.filter);
      CHECK(parsed.problem == *error->string());
      continue;
    }
    REQUIRE(parsed.filter);
    CHECK(stringify(structure(*parsed.filter)) == stringify(*recorded.get("parsed")));
    CHECK(to_string(*parsed.filter) == *recorded.get("string")->string());
  }
}

TEST_CASE("filter: nesting beyond the bound is refused, not followed") {
  const std::size_t depth = kFilterDepthMax + 10;
  std::string text;
  for (std::size_t i = 0; i < depth; ++i) text += "(!";
  text += "(a=1)" + std::string(depth, ')');
  CHECK_FALSE(parse_filter(text).filter);
}
