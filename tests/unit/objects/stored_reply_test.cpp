// How values are written as JSON, and the quick way from a row to a get's answer.
#include <doctest/doctest.h>

#include <random>
#include <string>

#include "objects/row.hpp"
#include "tests/unit/objects/values.hpp"

using namespace objects;

namespace {

struct Piece {
  const char *text, *json;
};
constexpr Piece kPieces[] = {
    {"plain", "plain"},
    {"\"", "\\\""},
    {"\\", "\\\\"},
    {"\n", "\\n"},
    {"\x01", "\\u0001"},
    {"\x1f", "\\u001f"},
    {"\xc3\xa9", "\xc3\xa9"},
    {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
    {"\xed\xa0\x80", "\\ud800"},  // half of a surrogate pair, as it is kept
    {"\xed\xbf\xbf", "\\udfff"},
    {"\xed\x9f\xbf", "\xed\x9f\xbf"},
    {"\x7f", "\x7f"},
    {"", ""},
};

/// Of that many pieces, and what JSON.stringify makes of it.
std::pair<std::string, std::string> random_text(std::mt19937& random, std::size_t pieces) {
  std::string text, json = "\"";
  for (std::size_t i = 0; i < pieces; ++i) {
    const Piece& piece = kPieces[random() % std::size(kPieces)];
    text += piece.text;
    json += piece.json;
  }
  return {text, json + '"'};
}

}  // namespace

TEST_CASE("stringify: texts of any pieces, names and values") {
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {
    CAPTURE(i);
    const auto [text, json] = random_text(random, random() % 12);
    CHECK(stringify(JsValue(text)) == json);
    JsObject object;
    object.set("n" + text, JsValue(text));
    CHECK(stringify(JsValue(object)) == "{\"n" + json.substr(1) + ":" + json + "}");
  }
}

TEST_CASE("stored_reply: the same as by way of the object, also of a large value") {
  const Bucket bucket = bucket_with(R"({"n":{"type":"number"}})");
  std::mt19937 random(2);
  for (const std::size_t bytes : {10u, 1u << 20, (1u << 20) + 1, 5u << 20}) {
    CAPTURE(bytes);
    JsObject object;
    object.set("n", JsValue(7));
    object.set("text", JsValue(random_text(random, 50).first + std::string(bytes, 'x')));
    auto row = new_row(bucket, "key", object, 1'700'000'000'000);
    REQUIRE(row);
    row->id = 9;
    const auto reply = stored_reply(bucket, *row);
    REQUIRE(reply);
    const auto made = object_of(bucket, *row);
    REQUIRE(made);
    CHECK((*reply == stringify(JsValue(reply_of(bucket, *row, *made, NullCount())))));
    row->columns[0] = Column();  // a column that says something else than the value
    CHECK_FALSE(stored_reply(bucket, *row));
  }
}
