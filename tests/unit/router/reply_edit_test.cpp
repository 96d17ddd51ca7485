#include "router/reply_edit.hpp"

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
  const auto values = edit_reply(method_of(rpc), payload, document.root(),
                                 ReplyOrigin{&snapshot, ring::Vnode{7}, ring::PnodeIndex{0}}, edits);
  if (!values) return "malformed";
  std::string result;
  for (const std::string_view piece : edits.pieces(payload)) result += piece;
  return result;
}

const std::string kNode = R"("_node":{"pnode":"tcp://1.moray.lab:2020","vnode":7,"data":1})";

}  // namespace

TEST_CASE("reply: a read object loses its vnode and gains _node") {
  CHECK(edited(backends::Rpc::get_object, R"({"m":{},"d":[{"key":"k","value":{"a":1,"vnode":7},"_id":1}]})") ==
        R"({"m":{},"d":[{"key":"k","value":{"a":1},"_id":1,)" + kNode + "}]}");
  CHECK(edited(backends::Rpc::get_object, R"({"d":[{"_handledOptions":["x"]}]})") ==
        R"({"d":[{"_handledOptions":["x"]}]})");
}

TEST_CASE("reply: found records lose their vnode and nothing else") {
  CHECK(edited(backends::Rpc::find_objects, R"({"d":[{"value":{"vnode":7}},{"value":{"vnode":8,"b":{"vnode":1}}}]})") ==
        R"({"d":[{"value":{}},{"value":{"b":{"vnode":1}}}]})");
}

TEST_CASE("reply: a put's etag gains _node") {
  CHECK(edited(backends::Rpc::put_object, R"({"d":[{"etag":"00000000"}]})") ==
        R"({"d":[{"etag":"00000000",)" + kNode + "}]}");
  CHECK(edited(backends::Rpc::batch, R"({"d":[{"etags":[]}]})") == R"({"d":[{"etags":[],)" + kNode + "}]}");
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
