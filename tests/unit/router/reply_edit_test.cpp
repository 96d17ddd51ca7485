#include "router/plan/reply_edit.hpp"

#include <doctest/doctest.h>

#include "ring/topology.hpp"

using namespace router;

namespace {

std::string edited(backends::Rpc rpc, const std::string& payload) {
  const Snapshot snapshot = Snapshot::make(
      ring::create_ring(ring::Algorithm::sha256, 16, {"tcp://1.moray.lab:2020"}), {});
  json::Document document;
  REQUIRE_FALSE(document.parse(payload));
  Edits edits;
  const auto values =
      edit_reply(method_of(rpc), payload, document.root(),
                 ReplyOrigin{&snapshot, ring::Vnode{7}, ring::PnodeIndex{0}}, edits);
  if (!values) return "malformed";
  std::string result;
  for (const std::string_view piece : edits.pieces(payload)) result += piece;
  return result;
}

const std::string kNode = R"("_node":{"pnode":"tcp://1.moray.lab:2020","vnode":7,"data":1})";

}  // namespace

TEST_CASE("reply: a read object loses its vnode and gains _node") {
  CHECK(edited(backends::Rpc::get_object,
               R"({"m":{},"d":[{"key":"k","value":{"a":1,"vnode":7},"_id":1}]})") ==
        R"({"m":{},"d":[{"key":"k","value":{"a":1},"_id":1,)" + kNode + "}]}");
  CHECK(edited(backends::Rpc::get_object, R"({"d":[{"_handledOptions":["x"]}]})") ==
        R"({"d":[{"_handledOptions":["x"]}]})");
}

TEST_CASE("reply: found records lose their vnode and nothing else") {
  CHECK(edited(backends::Rpc::find_objects,
               R"({"d":[{"value":{"vnode":7}},{"value":{"vnode":8,"b":{"vnode":1}}}]})") ==
        R"({"d":[{"value":{}},{"value":{"b":{"vnode":1}}}]})");
}

TEST_CASE("reply: a put's etag gains _node") {
  CHECK(edited(backends::Rpc::put_object, R"({"d":[{"etag":"00000000"}]})") ==
        R"({"d":[{"etag":"00000000",)" + kNode + "}]}");
  CHECK(edited(backends::Rpc::batch, R"({"d":[{"etags":[]}]})") ==
        R"({"d":[{"etags":[],)" + kNode + "}]}");
}

TEST_CASE("reply: null values are dropped") {
  CHECK(edited(backends::Rpc::sql, R"({"d":[null]})") == R"({"d":[]})");
  CHECK(edited(backends::Rpc::sql, R"({"d":[null,{"a":1},null,null,{"b":1},null]})") ==
        R"({"d":[{"a":1},{"b":1}]})");
}

TEST_CASE("reply: what is no reply is not passed on") {
  for (const char* payload : {"[]", "{}", R"({"d":{}})", R"({"d":null})", "5"})
    CHECK(edited(backends::Rpc::sql, payload) == "malformed");
  json::Document document;
  REQUIRE_FALSE(document.parse(R"({"d":{"name":"E","message":5}})"));
  CHECK_FALSE(valid_error(document.root()));
  REQUIRE_FALSE(document.parse(R"({"d":{"name":"E","message":"m"}})"));
  CHECK(valid_error(document.root()));
}

TEST_CASE("reply: a moray's END is known by its bytes") {
  const std::string end = R"({"m":{"uts":1700000000000001,"name":"getObject"},"d":[]})";
  CHECK(is_plain_end(end, "getObject"));
  CHECK_FALSE(is_plain_end(end, "putObject"));
  CHECK_FALSE(is_plain_end("", "getObject"));
  for (std::size_t i = 0; i < end.size();
       ++i) {  // any other byte anywhere: digits aside, it is not it
    std::string other = end;
    other[i] = other[i] == ' ' ? 'x' : ' ';
    CHECK_FALSE(is_plain_end(other, "getObject"));
    CHECK_FALSE(is_plain_end(std::string_view(end).substr(0, i), "getObject"));
  }
  CHECK_FALSE(
      is_plain_end(R"({"m":{"uts":0700000000000001,"name":"getObject"},"d":[]})", "getObject"));
  CHECK_FALSE(
      is_plain_end(R"({"m":{"uts":1700000000000001,"name":"getObject"},"d":[1]})", "getObject"));
}

TEST_CASE("reply: of members of one name the last is edited, which is the one that clients see") {
  CHECK(edited(backends::Rpc::find_objects,
               R"({"d":[{"_value":{"vnode":7},"value":{"vnode":8},"value":{"a":1,"vnode":9}}]})") ==
        R"({"d":[{"_value":{},"value":{"vnode":8},"value":{"a":1}}]})");
}

TEST_CASE("reply: a plan's fence is known by its words, whatever the shard calls the error") {
  const auto refusal = [](const std::string& message) {
    const std::string payload = R"({"m":{},"d":{"name":"error","message":")" + message + "\"}}";
    json::Document document;
    REQUIRE_FALSE(document.parse(payload));
    return router::fence_refusal(document.root());
  };
  const std::string words = "moray-router: vnode 7 is fenced by plan 3 at generation 0";
  CHECK(refusal(words) == words);
  CHECK(refusal("some " + words) == std::nullopt);
  CHECK(refusal("moray-router: buckets can't be changed while plan 3 moves vnodes") ==
        std::nullopt);
  CHECK(refusal("duplicate key") == std::nullopt);
}
