#include "json/text.hpp"

#include <random>
#include <string>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "tests/unit/json/reference/reference.hpp"

namespace {

std::string unescaped(std::string_view raw) {
  std::string out = "old";
  json::unescape(raw, out);
  return out;
}

std::string as_json(std::string_view text) {
  std::string out;
  json::append_quoted(out, text);
  return out;
}

}  // namespace

TEST_CASE("unescape: every escape, and what stands between") {
  CHECK(unescaped("") == "");
  CHECK(unescaped("plain") == "plain");
  CHECK(unescaped(R"(\"\\\/\b\f\n\r\t)") == "\"\\/\b\f\n\r\t");
  CHECK(unescaped(R"(a\u0041b\u00e9c\u20ACd)") ==
        "aAb\xc3\xa9"
        "c\xe2\x82\xac"
        "d");
  CHECK(unescaped(R"(\u0000)") == std::string(1, '\0'));
  CHECK(unescaped(R"(\uffff\u0800\u07ff\u0080\u007f)") ==
        "\xef\xbf\xbf\xe0\xa0\x80\xdf\xbf\xc2\x80\x7f");
  CHECK(unescaped(R"(\\u0041)") == "\\u0041");
}

TEST_CASE("unescape: surrogate pairs join, halves alone become EF BF BD each") {
  const std::string lone = "\xef\xbf\xbd";
  CHECK(unescaped(R"(\ud83d\ude00)") == "\xf0\x9f\x98\x80");
  CHECK(unescaped(R"(\ud800\udc00)") == "\xf0\x90\x80\x80");
  CHECK(unescaped(R"(\uDBFF\uDFFF)") == "\xf4\x8f\xbf\xbf");
  CHECK(unescaped(R"(\ud800)") == lone);
  CHECK(unescaped(R"(\udc00)") == lone);
  CHECK(unescaped(R"(x\ud800y)") == "x" + lone + "y");
  CHECK(unescaped(R"(\ud800\ud800\udc00)") == lone + "\xf0\x90\x80\x80");
  CHECK(unescaped(R"(\udc00\ud800)") == lone + lone);
  CHECK(unescaped(R"(\ud800\u0041)") == lone + "A");
  CHECK(unescaped(R"(\ud800\n)") == lone + "\n");
  CHECK(unescaped(R"(\ud800u)") == lone + "u");
}

TEST_CASE("unescaped_equals: says what unescaping and comparing would say") {
  CHECK(json::unescaped_equals("", ""));
  CHECK(json::unescaped_equals("name", "name"));
  CHECK(json::unescaped_equals(R"(n\u0061me)", "name"));
  CHECK(json::unescaped_equals(R"(\ud83d\ude00!)", "\xf0\x9f\x98\x80!"));
  CHECK(json::unescaped_equals(R"(\ud800)", "\xef\xbf\xbd"));
  CHECK_FALSE(json::unescaped_equals("name", "nam"));
  CHECK_FALSE(json::unescaped_equals("nam", "name"));
  CHECK_FALSE(json::unescaped_equals(R"(n\u0061m)", "name"));
  CHECK_FALSE(json::unescaped_equals(R"(n\u0061mes)", "name"));
  CHECK_FALSE(json::unescaped_equals(R"(\n)", "n"));
  CHECK_FALSE(json::unescaped_equals(R"(\n)", R"(\n)"));
  CHECK_FALSE(json::unescaped_equals(R"(\u0061)", ""));
}

TEST_CASE("append_quoted: as JSON.stringify writes") {
  CHECK(as_json("") == R"("")");
  CHECK(as_json("plain/é😀\x7f") == "\"plain/é😀\x7f\"");
  CHECK(as_json("\"\\\b\f\n\r\t") == R"("\"\\\b\f\n\r\t")");
  CHECK(as_json(std::string("\0\x01\x0b\x1f", 4)) == R"("\u0000\u0001\u000b\u001f")");
  CHECK(as_json("\xe2\x80\xa8") == "\"\xe2\x80\xa8\"");
  std::string out = "before";
  json::append_quoted(out, "x");
  CHECK(out == "before\"x\"");
}

TEST_CASE("append_quoted: nlohmann_json reads the text back, and unescape too") {
  std::mt19937 random(3);
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (auto size = random() % 40; size > 0; --size) text += static_cast<char>(random() % 128);
    const std::string json_text = as_json(text);
    CAPTURE(json_text);
    REQUIRE(nlohmann::json::parse(json_text).get<std::string>() == text);
    const std::string raw = json_text.substr(1, json_text.size() - 2);
    REQUIRE(unescaped(raw) == text);
    REQUIRE(json::unescaped_equals(raw, text));
    REQUIRE_FALSE(json::unescaped_equals(raw, text + "a"));
  }
}
