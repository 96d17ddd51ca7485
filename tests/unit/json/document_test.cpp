#include "json/document.hpp"

#include <cstring>
#include <memory>
#include <random>
#include <regex>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using json::Document;

namespace {

/// Parses from a heap block of exactly the text's size, so that ASan sees any read beyond it.
std::optional<json::Problem> parse_exact(const std::string& text) {
  const auto block = std::make_unique<char[]>(text.size());
  std::memcpy(block.get(), text.data(), text.size());
  Document document;
  return document.parse({block.get(), text.size()});
}

bool accepts(const std::string& text) { return !parse_exact(text); }

std::string random_json(std::mt19937& random, int depth) {
  const auto space = [&] { return std::string(random() % 8 == 0 ? random() % 3 : 0, ' '); };
  switch (random() % (depth > 0 ? 9 : 6)) {
    case 0: return "null";
    case 1: return random() % 2 ? "true" : "false";
    case 2: return std::to_string(static_cast<int>(random() % 2000) - 1000);
    case 3: return "-0.5e+1";
    case 4: return "\"" + std::string(random() % 90, 'x') + "\\n\\u00e9\\\"\"";
    case 5: return "\"\xc3\xa9{[,:\"";
    default: break;
  }
  const bool object = random() % 2 == 0;
  std::string text = object ? "{" : "[";
  const unsigned count = random() % 5;
  for (unsigned i = 0; i < count; ++i) {
    if (i > 0) text += "," + space();
    if (object) text += "\"k" + std::to_string(random() % 3) + "\"" + space() + ":" + space();
    text += random_json(random, depth - 1) + space();
  }
  return text + (object ? "}" : "]");
}

/// nlohmann_json refuses numbers beyond a double; JSON.parse, and we, take them.
const std::regex kHugeExponent("[eE][+-]?[0-9]{3}");

void same(json::Value ours, const nlohmann::json& theirs) {
  std::string scratch;
  switch (ours.type()) {
    case json::Type::null: CHECK(theirs.is_null()); return;
    case json::Type::boolean: CHECK(theirs == ours.is_true()); return;
    case json::Type::number: CHECK(theirs == nlohmann::json::parse(ours.text())); return;
    case json::Type::string: CHECK(theirs == ours.string(scratch)); return;
    case json::Type::array: {
      std::size_t i = 0;
      for (const json::Value element : ours.elements()) same(element, theirs.at(i++));
      CHECK(i == theirs.size());
      CHECK(ours.empty() == theirs.empty());
      return;
    }
    case json::Type::object:
      for (const auto& [name, value] : theirs.items()) {
        const auto found = ours.find(name);
        REQUIRE(found);
        same(*found, value);
      }
      CHECK(ours.empty() == theirs.empty());
      return;
  }
}

}  // namespace

TEST_CASE("document: takes what JSON.parse takes") {
  for (const char* text :
       {"null", " true ", "false", "0", "-0", "1e400", "123456789012345678901234567890", "1.5E-7",
        "\"\"", "\"\\ud800\"", "\"\\ud83d\\ude00\"", "[]", "{}", "[[],{}]", "{\"a\":1,\"a\":2}",
        "\r\n\t {\"a\" : [ 1 , 2 ] } \n", "\"\\\\\"", "\"\\u0000\\/\\b\""})
    CHECK_MESSAGE(accepts(text), text);
}

TEST_CASE("document: refuses what JSON.parse refuses") {
  for (const char* text :
       {"", " ", "tru", "truee", "true1", "nul", "01", "1.", ".5", "+1", "-", "1e", "1e+", "0x1",
        "NaN", "{\"x\" 1}", "[1}", "{]", "[1,]", "{\"a\":1,}", "[,1]", "{,}", "\"\\x\"",
        "\"\\u12g4\"", "\"\\u12\"", "\"a", "[", "{", "{\"a\"", "{\"a\":", "1 2", "[] []", "{}x",
        "\"a\"b", "1\"a\"", "{1:2}", "[1 2]", "'a'", "\"\x01\"", "\"\xff\"", "\xef\xbb\xbf{}",
        "[1]]", "}", ":", ",", "\"\\", "nulltrue", "[true false]", "\x0c[]", "{\"a\":1:2}"})
    CHECK_MESSAGE(!accepts(text), text);
}

TEST_CASE("document: the depth limit is exact and named") {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  CHECK(accepts(nested(json::kDepthMax)));
  const auto problem = parse_exact(nested(json::kDepthMax + 1));
  REQUIRE(problem);
  CHECK(problem->fault == json::Fault::too_deep);
}

TEST_CASE("document: random texts read as nlohmann_json reads them") {
  std::mt19937 random(5);
  Document document;
  for (int round = 0; round < 4000; ++round) {
    const std::string text = random_json(random, 5);
    CAPTURE(text);
    REQUIRE_FALSE(document.parse(text));
    same(document.root(), nlohmann::json::parse(text));
  }
}

TEST_CASE("document: damaged texts are taken exactly where nlohmann_json takes them") {
  std::mt19937 random(6);
  const std::string alphabet = "{}[]:,\"\\ntu0e-. 1ax";
  std::size_t taken = 0;
  for (int round = 0; round < 60000; ++round) {
    std::string text = random_json(random, 3);
    for (unsigned edits = 1 + random() % 2; edits > 0 && !text.empty(); --edits) {
      const std::size_t at = random() % text.size();
      if (random() % 3 == 0)
        text.erase(at, 1);
      else
        text[at] = alphabet[random() % alphabet.size()];
    }
    if (std::regex_search(text, kHugeExponent)) continue;
    CAPTURE(text);
    const bool expected = nlohmann::json::accept(text);
    CHECK(accepts(text) == expected);
    taken += expected;
  }
  CHECK(taken > 1000);
}

TEST_CASE("document: the last of doubled members wins, escaped names are the same name") {
  Document document;
  REQUIRE_FALSE(document.parse(R"({"name":1,"n\u0061me":2,"other":{"name":3}})"));
  CHECK(document.root().find("name")->text() == "2");
  CHECK_FALSE(document.root().find("nam"));
}

TEST_CASE("document: an unpaired surrogate reads as U+FFFD, a pair as its character") {
  Document document;
  std::string scratch;
  REQUIRE_FALSE(document.parse(R"(["\ud800","\ud83d\ude00","\udc00\ud800x","\ud800\ud83d\ude00"])"));
  std::vector<std::string> strings;
  for (const json::Value element : document.root().elements())
    strings.emplace_back(element.string(scratch));
  CHECK(strings == std::vector<std::string>{"\xef\xbf\xbd", "\xf0\x9f\x98\x80",
                                            "\xef\xbf\xbd\xef\xbf\xbdx",
                                            "\xef\xbf\xbd\xf0\x9f\x98\x80"});
}

TEST_CASE("document: a value's text is exactly its bytes") {
  Document document;
  REQUIRE_FALSE(document.parse(" { \"a\" : [ 1 , 2 ] , \"b\" : \"x\" , \"c\" : -1.50 } "));
  CHECK(document.root().find("a")->text() == "[ 1 , 2 ]");
  CHECK(document.root().find("b")->text() == "\"x\"");
  CHECK(document.root().find("c")->text() == "-1.50");
}

TEST_CASE("document: memory of a giant text can be given back, and used again") {
  Document document;
  const std::string giant = "\"" + std::string(1 << 20, 'x') + "\"";
  REQUIRE_FALSE(document.parse(giant));
  document.shrink(1 << 16);
  REQUIRE_FALSE(document.parse("[1]"));
  CHECK(document.root().text() == "[1]");
}
