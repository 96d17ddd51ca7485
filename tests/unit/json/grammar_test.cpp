#include <random>
#include <string>

#include <doctest/doctest.h>
#include <simdjson.h>

#include "json/document.hpp"
#include "tests/unit/json/reference/reference.hpp"

namespace {

bool accepts(const std::string& text) {
  json::Document document;
  return !document.parse(text);
}

std::optional<json::Problem> problem_of(const std::string& text) {
  json::Document document;
  return document.parse(text);
}

std::string nested(std::size_t depth, const std::string& open, const std::string& inner,
                   const std::string& close) {
  std::string text;
  for (std::size_t i = 0; i < depth; ++i) text += open;
  text += inner;
  for (std::size_t i = 0; i < depth; ++i) text += close;
  return text;
}

/// Runs a check with each of simdjson's kernels that this machine supports.
template <typename Check>
void with_every_kernel(Check check) {
  const simdjson::implementation* const chosen = simdjson::get_active_implementation();
  for (const simdjson::implementation* kernel : simdjson::get_available_implementations()) {
    if (!kernel->supported_by_runtime_system()) continue;
    CAPTURE(kernel->name());
    simdjson::get_active_implementation() = kernel;
    check();
  }
  simdjson::get_active_implementation() = chosen;
}

const std::initializer_list<const char*> kAccepted = {
    "0",
    "-0",
    "7",
    "-12",
    "0.5",
    "-0.25",
    "1e5",
    "1E5",
    "1e+5",
    "1e-05",
    "0e0",
    "0.0E-0",
    "1e400",
    "-1e99999999999999999999",
    "123456789012345678901234567890123456789012345678901234567890",
    "0.000000000000000000000000000000000000000000000000000000000000000000000000000000000001",
    "true",
    "false",
    "null",
    "\"\"",
    "\"a\"",
    "{}",
    "[]",
    " {} ",
    "\t[\r\n] ",
    "[ ]",
    "{ }",
    "[1]",
    "[1,2]",
    "[ 1 , 2 ]",
    "[[],{}]",
    "{\"a\":1}",
    "{ \"a\" : 1 , \"b\" : [ ] }",
    "{\"a\":1,\"a\":2}",
    "{\"\":0}",
    "{\"a\":{\"a\":{\"a\":[[[1]]]}}}",
    " 1 ",
    "\n\"x\"\n",
    R"("\"\\\/\b\f\n\r\t")",
    R"("\u0000\u00e9\uABCD\uabcd")",
    R"("\ud800")",
    R"("\udc00\ud800")",
    R"("\ud83d\ude00")",
    R"("\ud800\u0041")",
    R"("\\")",
    R"("\\\"")",
    R"(["\\","\\\\",""])",
    "\"\x7f\"",
    "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"",
    "\"\xef\xbb\xbf\"",
    "\"\xe2\x80\xa8\"",
    "\"tru\"",
    "[true,false,null]",
    "[true ,false\n,null\t]",
    "[\"a\" , \"b\"]",
    "\"{}[],:\""};

const std::initializer_list<const char*> kRefused = {"",
                                                     " ",
                                                     "\n\t\r ",
                                                     "{",
                                                     "}",
                                                     "[",
                                                     "]",
                                                     ",",
                                                     ":",
                                                     "\"",
                                                     "\\",
                                                     "-",
                                                     "+",
                                                     ".",
                                                     "/",
                                                     "'a'",
                                                     "a",
                                                     "tru",
                                                     "truee",
                                                     "true1",
                                                     "True",
                                                     "TRUE",
                                                     "nul",
                                                     "nulll",
                                                     "fals",
                                                     "falsee",
                                                     "true false",
                                                     "true\"\"",
                                                     "tru\"e\"",
                                                     "nan",
                                                     "NaN",
                                                     "Infinity",
                                                     "-Infinity",
                                                     "undefined",
                                                     "t",
                                                     "n",
                                                     "f",
                                                     "01",
                                                     "-01",
                                                     "00",
                                                     "1.",
                                                     ".5",
                                                     "-.5",
                                                     "1.e5",
                                                     "1e",
                                                     "1e+",
                                                     "1E-",
                                                     "1e5.5",
                                                     "1e5e5",
                                                     "+1",
                                                     "--1",
                                                     "-a",
                                                     "0x10",
                                                     "1_000",
                                                     "1,",
                                                     "1 2",
                                                     "1a",
                                                     "1\"a\"",
                                                     "1-",
                                                     "1.5.5",
                                                     "- 1",
                                                     "1\x0c",
                                                     "1\x1a",
                                                     "[1\x0c]",
                                                     "[1\x1a"
                                                     "2]",
                                                     "[1\x0c"
                                                     "2]",
                                                     "\x0c{}",
                                                     "{}\x0c",
                                                     "[1 \x0c]",
                                                     "\x1a",
                                                     "\x0b"
                                                     "1",
                                                     "[1,]",
                                                     "[,1]",
                                                     "[,]",
                                                     "[1,,2]",
                                                     "[1 2]",
                                                     "[1",
                                                     "[1}",
                                                     "{]",
                                                     "[}",
                                                     "[1]]",
                                                     "[]]",
                                                     "[][]",
                                                     "{}{}",
                                                     "[] 1",
                                                     "1 []",
                                                     "[1:2]",
                                                     "[\"a\":1]",
                                                     "{\"a\"}",
                                                     "{\"a\":}",
                                                     "{\"a\":1,}",
                                                     "{,\"a\":1}",
                                                     "{:1}",
                                                     "{\"a\" 1}",
                                                     "{\"a\",1}",
                                                     "{\"a\"::1}",
                                                     "{\"a\":1 \"b\":2}",
                                                     "{\"a\":1,,\"b\":2}",
                                                     "{a:1}",
                                                     "{1:1}",
                                                     "{\"a\":1]",
                                                     "{[]:1}",
                                                     "{{}:1}",
                                                     "{\"a\":1",
                                                     "{\"a\":",
                                                     "{\"a\"",
                                                     "{\"a",
                                                     "{\"x\" 1}",
                                                     "[\"a\"b]",
                                                     "[\"a\"\"b\"]",
                                                     "\"a\"b",
                                                     "b\"a\"",
                                                     "\"a\" \"b\"",
                                                     "\"a",
                                                     "\"a\\",
                                                     "\"a\\\"",
                                                     "a\"",
                                                     R"("\x")",
                                                     R"("\u")",
                                                     R"("\u1")",
                                                     R"("\u12")",
                                                     R"("\u123")",
                                                     R"("\u123g")",
                                                     R"("\u 123")",
                                                     R"("\U0041")",
                                                     R"("\0")",
                                                     R"("\a")",
                                                     R"("\')",
                                                     R"("\'")",
                                                     R"({"\x":1})",
                                                     R"(["ok","\x"])",
                                                     R"(\"a\")",
                                                     R"([1\"])",
                                                     R"([\"a\"])",
                                                     R"("a"\)",
                                                     R"("a"\"b")",
                                                     R"([\n"a\n"])",
                                                     R"(["\ud8"])",
                                                     "\"\n\"",
                                                     "\"\t\"",
                                                     "\"\x01\"",
                                                     "\"\x1f\"",
                                                     "\"\x80\"",
                                                     "\"\xc0\xaf\"",
                                                     "\"\xed\xa0\x80\"",
                                                     "\"\xf5\x80\x80\x80\"",
                                                     "\"\xe2\x82\"",
                                                     "\"\xff\"",
                                                     "\xc3\xa9",
                                                     "\xef\xbb\xbf{}",
                                                     "\xef\xbb\xbf",
                                                     "\xef\xbb\xbf 1",
                                                     "\xc2\xa0"
                                                     "1",
                                                     "\xe2\x80\xa8"
                                                     "1",
                                                     "/* */ 1",
                                                     "1 // one",
                                                     "[1]/**/"};

}  // namespace

TEST_CASE("parse: takes and refuses what JSON.parse does, with every kernel and at every offset") {
  with_every_kernel([] {
    for (const char* text : kAccepted) {
      CAPTURE(text);
      CHECK(accepts(text));
      for (std::size_t spaces = 1; spaces <= 130; ++spaces)
        REQUIRE(accepts(std::string(spaces, ' ') + text));
      CHECK(accepts("[" + std::string(text) + "]"));
      CHECK(accepts("{\"a\":" + std::string(text) + "}"));
    }
    for (const char* text : kRefused) {
      CAPTURE(text);
      for (std::size_t spaces = 0; spaces <= 130; ++spaces)
        REQUIRE(problem_of(std::string(spaces, ' ') + text)->fault == json::Fault::not_json);
    }
  });
}

TEST_CASE("parse: a NUL is refused everywhere") {
  for (const std::string text : {"1", "{}", "[1,2]", "\"ab\""})
    for (std::size_t at = 0; at <= text.size(); ++at) {
      std::string with_nul = text;
      with_nul.insert(at, 1, '\0');
      CHECK_FALSE(accepts(with_nul));
    }
}

TEST_CASE("parse: a default string_view is refused") {
  json::Document document;
  CHECK(document.parse({}) == json::Problem{json::Fault::not_json, 0});
}

TEST_CASE("parse: nesting to the limit is taken, one deeper is too deep") {
  for (const auto& [open, close] : {std::pair{"[", "]"}, {"{\"a\":", "}"}, {"[{\"a\":[", "]}]"}}) {
    const std::size_t brackets = std::string(open).size() > 5 ? 3 : 1;
    const std::size_t most = json::kDepthMax / brackets;
    CHECK(accepts(nested(most, open, "1", close)));
    CHECK(problem_of(nested(most + 1, open, "1", close))->fault == json::Fault::too_deep);
  }
  CHECK(accepts(nested(1000, "[", "", "]")));
  CHECK(problem_of(nested(1001, "[", "", "]")) == json::Problem{json::Fault::too_deep, 1000});
  CHECK(problem_of(nested(100000, "[", "", "]")) == json::Problem{json::Fault::too_deep, 1000});
}

TEST_CASE("parse: depth is that of what is open, not the number of brackets") {
  std::string text = "[";
  for (int i = 0; i < 3000; ++i) text += "[{}],";
  CHECK(accepts(text + "1]"));
}

TEST_CASE("parse: the problem's offset is at or near the fault") {
  using json::Fault;
  CHECK(problem_of("[1,x]") == json::Problem{Fault::not_json, 3});
  CHECK(problem_of("{\"a\" 1}") == json::Problem{Fault::not_json, 5});
  CHECK(problem_of("[\"ok\\n\",\"ab\\x\"]") == json::Problem{Fault::not_json, 11});
  CHECK(problem_of("[1") == json::Problem{Fault::not_json, 1});
  CHECK(problem_of("[\"a\nb\"]") == json::Problem{Fault::not_json, 3});
  CHECK(problem_of("[\"a\xff\xff"
                   "bcdefgh\"]") == json::Problem{Fault::not_json, 3});
  CHECK(problem_of("[\"abc") == json::Problem{Fault::not_json, 5});
}

TEST_CASE("parse: agrees with nlohmann_json on random texts and on their mutations") {
  with_every_kernel([] {
    std::mt19937 random(20240607);
    json::Document document;
    std::size_t refused = 0;
    for (int round = 0; round < 6000; ++round) {
      const std::string text = json_reference::random_text(random);
      CAPTURE(text);
      REQUIRE_FALSE(document.parse(text));
      REQUIRE(json_reference::accepts(text));
      for (int edit = 0; edit < 4; ++edit) {
        const std::string broken = json_reference::mutated(text, random);
        CAPTURE(broken);
        const bool refuses = document.parse(broken).has_value();
        REQUIRE(refuses == !json_reference::accepts(broken));
        refused += refuses;
      }
    }
    CHECK(refused > 8000);
    CHECK(refused < 23000);
  });
}

TEST_CASE("parse: every cut of a valid text is refused, but for numbers and white space") {
  const std::string text = R"( {"m":{"name":"putObject","uts":1.5e3},"d":["b\u0061",null,true]} )";
  for (std::size_t size = 0; size + 1 < text.size(); ++size)
    CHECK_FALSE(accepts(text.substr(0, size)));
}
