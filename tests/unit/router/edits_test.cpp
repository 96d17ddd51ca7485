#include "router/plan/edits.hpp"

#include <random>

#include <doctest/doctest.h>

#include "fast/checksum.hpp"
#include "json/document.hpp"
#include "router/plan/json_edits.hpp"

using router::Edits;

namespace {

std::string result(Edits& edits, std::string_view text) {
  std::string whole;
  for (const std::string_view piece : edits.pieces(text)) {
    CHECK_FALSE(piece.empty());
    whole += piece;
  }
  return whole;
}

std::string without(const std::string& text, std::string_view name) {
  json::Document document;
  REQUIRE_FALSE(document.parse(text));
  Edits edits;
  router::erase_members(edits, text, document.root(), name);
  return result(edits, text);
}

std::string with(const std::string& text, std::string_view member) {
  json::Document document;
  REQUIRE_FALSE(document.parse(text));
  Edits edits;
  router::append_member(edits, text, document.root(), member);
  return result(edits, text);
}

}  // namespace

TEST_CASE("edits: insertions, cuts and replacements, given in any order") {
  Edits edits;
  CHECK(edits.empty());
  edits.replace(6, 11, "there");
  edits.insert(0, "> ");
  edits.erase(3, 5);
  CHECK(result(edits, "hello world!") == "> hel there!");
  edits.clear();
  CHECK(result(edits, "same") == "same");
}

TEST_CASE("edits: those that touch each other become one piece") {
  Edits edits;
  edits.erase(2, 5);
  edits.insert(5, "x");
  edits.insert(5, "y");
  edits.replace(5, 6, "z");
  CHECK(result(edits, "abcdefgh") == "abxyzgh");
  CHECK(edits.pieces("abcdefgh").size() == 3);
}

TEST_CASE("edits: the checksum of an edited text follows from its own, where the text is long") {
  const std::string text(5000, 'a');
  const std::uint16_t checksum = fast::checksum_v2(text);
  Edits edits;
  CHECK(edits.checksum(text, checksum) == checksum);
  edits.erase(4200, 4300);
  edits.insert(4990, "something new");
  CHECK(edits.checksum(text, checksum) == std::nullopt);  // the pieces were not asked for
  const std::string edited = result(edits, text);
  CHECK(edits.checksum(text, checksum) == fast::checksum_v2(edited));
  edits.insert(10, "early");
  static_cast<void>(edits.pieces(text));
  CHECK(edits.checksum(text, checksum) == std::nullopt);  // nothing would be saved
}

TEST_CASE("edits: a member is erased with one comma, wherever and however often it stands") {
  CHECK(without(R"({"vnode":1})", "vnode") == "{}");
  CHECK(without(R"({"vnode":1,"a":2})", "vnode") == R"({"a":2})");
  CHECK(without(R"({"a":2,"vnode":1})", "vnode") == R"({"a":2})");
  CHECK(without(R"({"a":2,"vnode":1,"b":3})", "vnode") == R"({"a":2,"b":3})");
  CHECK(without(R"({"vnode":1,"vnode":2})", "vnode") == "{}");
  CHECK(without(R"({"vnode":1,"vnode":2,"a":1,"vnode":{"vnode":2}})", "vnode") == R"({"a":1})");
  CHECK(without(R"({ "a":1 , "vno\u0064e" : [1] , "b":2 })", "vnode") == R"({ "a":1 , "b":2 })");
  CHECK(without(R"({"a":{"vnode":1}})", "vnode") == R"({"a":{"vnode":1}})");
}

TEST_CASE("edits: a member is appended to an empty object and to a full one") {
  CHECK(with("{}", "\"x\":1") == R"({"x":1})");
  CHECK(with("{ }", "\"x\":1") == R"({ "x":1})");
  CHECK(with(R"({"a":{}})", "\"x\":1") == R"({"a":{},"x":1})");
}

TEST_CASE("edits: random erasures leave valid JSON with exactly the other members") {
  std::mt19937 random(8);
  for (int round = 0; round < 2000; ++round) {
    std::string text = "{", expected = "{";
    const unsigned count = random() % 6;
    for (unsigned i = 0; i < count; ++i) {
      const bool erased = random() % 2 == 0;
      const std::string member =
          erased ? "\"vnode\":[1,{\"vnode\":2}]" : "\"k\":" + std::to_string(i);
      text += (i > 0 ? "," : "") + member;
      if (!erased) expected += (expected.size() > 1 ? "," : "") + member;
    }
    CHECK(without(text + "}", "vnode") == expected + "}");
  }
}
