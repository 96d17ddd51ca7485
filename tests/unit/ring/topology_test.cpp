#include "ring/topology.hpp"

#include <doctest/doctest.h>

#include "ring/leveldb_store.hpp"
#include "tests/support/test_data.hpp"
#include "tests/unit/ring/ring_support.hpp"

namespace {

using nlohmann::json;

std::string refusal(const std::string& text) {
  try {
    ring::parse_topology(text);
    return "";
  } catch (const ring::RingError& error) {
    return error.what();
  }
}

const json kSmall = json::parse(R"({"vnodes":3,"pnodeToVnodeMap":{"a":{"0":1,"2":"ro"},"b":{"1":1}},
  "algorithm":{"NAME":"md5","MAX":"FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
  "VNODE_HASH_INTERVAL":"55555555555555555555555555555555"},"version":"2.1.0"})");

}  // namespace

TEST_CASE("topology: every recorded one is read and written again unchanged") {
  for (const std::string& name : ring_support::good_rings()) {
    CAPTURE(name);
    const std::string text = test_support::read_file(ring_support::ring_file(name, ".json"));
    const auto parsed = ring::parse_topology(text);
    json wanted = json::parse(text);
    wanted["version"] = "2.1.0";  // always the writer's
    CHECK(json::parse(ring::serialize_topology(*parsed)) == wanted);
    ring_support::check_nodes(*parsed, ring_support::ring_file(name, ".nodes.jsonl"));
  }
}

TEST_CASE("topology: a created ring is written in node-fash's member order") {
  const std::string text =
      ring::serialize_topology(*ring::create_ring(ring::Algorithm::sha1, 3, {"b", "a"}));
  CHECK(text == R"({"vnodes":3,"pnodeToVnodeMap":{"a":{"0":1,"2":1},"b":{"1":1}},)"
                R"("algorithm":{"NAME":"sha1","MAX":"FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",)"
                R"("VNODE_HASH_INTERVAL":"5555555555555555555555555555555555555555"},)"
                R"("version":"2.1.0"})");
}

TEST_CASE("topology: an old version is written anew as today's, pnodes without vnodes are listed") {
  json topology = kSmall;
  topology["version"] = "1.0.0";
  topology["pnodeToVnodeMap"]["c"] = json::object();
  const auto parsed = ring::parse_topology(topology.dump());
  CHECK(parsed->version() == "2.1.0");
  CHECK(parsed->pnodes().size() == 3);
}

TEST_CASE("topology: layout and spelling of data make no difference") {
  const auto digest = ring::parse_topology(kSmall.dump())->digest();
  CHECK(ring::parse_topology(kSmall.dump(2))->digest() == digest);
  std::string spelled = kSmall.dump();
  spelled.replace(spelled.find("\"ro\""), 4, "\"\\u0072o\"");
  const auto parsed = ring::parse_topology(spelled);
  CHECK(parsed->digest() == digest);
  CHECK(parsed->read_only(ring::Vnode{2}));
  json pretty = kSmall;
  pretty["pnodeToVnodeMap"]["a"]["2"] = json::parse(R"({"k":[1," ",{"\"":null}]})");
  CHECK(ring::parse_topology(pretty.dump(2))->data_json(ring::Vnode{2}) ==
        R"({"k":[1," ",{"\"":null}]})");
}

TEST_CASE("topology: what is wrong is named") {
  const auto says = [](auto change, const std::vector<std::string>& words) {
    json topology = kSmall;
    change(topology);
    const std::string text = refusal(topology.dump());
    CAPTURE(text);
    for (const std::string& word : words) CHECK(text.find(word) != std::string::npos);
  };
  CHECK(refusal("{").find("JSON") != std::string::npos);
  CHECK(refusal("[]").find("object") != std::string::npos);
  says([](json& t) { t.erase("vnodes"); }, {"vnodes", "required"});
  says([](json& t) { t.erase("version"); }, {"version", "required"});
  says([](json& t) { t.erase("algorithm"); }, {"algorithm", "required"});
  says([](json& t) { t["algorithm"].erase("VNODE_HASH_INTERVAL"); }, {"VNODE_HASH_INTERVAL"});
  says([](json& t) { t["pnodeToVnodeMap"] = json::array(); }, {"pnodeToVnodeMap", "required"});
  says([](json& t) { t["vnodes"] = 0; }, {"vnodes", "0"});
  says([](json& t) { t["vnodes"] = 2.5; }, {"vnodes", "2.5"});
  says([](json& t) { t["vnodes"] = 1e12; }, {"vnodes"});
  says([](json& t) { t["vnodes"] = 4; }, {"vnode 3", "no pnode"});
  says([](json& t) { t["vnodes"] = 2; }, {"\"a\"", "\"2\""});
  says([](json& t) { t["version"] = "2.2.0"; }, {"version 2.2.0"});
  says([](json& t) { t["algorithm"]["NAME"] = "sha512"; }, {"sha512"});
  says([](json& t) { t["algorithm"]["VNODE_HASH_INTERVAL"] = "0x1"; }, {"0x1"});
  says([](json& t) { t["algorithm"]["VNODE_HASH_INTERVAL"] = "0"; }, {"INTERVAL"});
  says([](json& t) { t["pnodeToVnodeMap"]["b"] = 1; }, {"\"b\""});
  says([](json& t) { t["pnodeToVnodeMap"]["b"]["2"] = 1; }, {"vnode 2", "twice"});
  says([](json& t) { t["pnodeToVnodeMap"]["b"]["x"] = 1; }, {"\"b\"", "\"x\""});
  says([](json& t) { t["pnodeToVnodeMap"]["b"]["01"] = 1; }, {"\"b\"", "\"01\""});
}

TEST_CASE("create_ring: wrong arguments are refused before anything is made") {
  using ring::Algorithm;
  CHECK_THROWS_AS(ring::create_ring(Algorithm::md5, 0, {"a"}), ring::RingError);
  CHECK_THROWS_AS(ring::create_ring(Algorithm::md5, 5, {}), ring::RingError);
  CHECK_THROWS_AS(ring::create_ring(Algorithm::md5, 4'000'000'000u, {"a"}), ring::RingError);
  CHECK_THROWS_AS(ring::create_ring(Algorithm::md5, 5, {"a", "b", "a"}), ring::RingError);
  CHECK_THROWS_AS(ring::create_ring(Algorithm::md5, 5, {"a", ""}), ring::RingError);
  CHECK_THROWS_AS(ring::create_ring(Algorithm::md5, 5, {"\xff"}), ring::RingError);
}
