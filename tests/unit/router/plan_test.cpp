#include "router/plan/plan.hpp"

#include <doctest/doctest.h>

#include "backends/rpc.hpp"
#include "ring/topology.hpp"
#include "router/plan/methods.hpp"

using namespace router;

namespace {

/// The recordings' ring.
std::shared_ptr<const ring::Ring> lab_ring() {
  return ring::create_ring(ring::Algorithm::sha256, 1024,
                           {"tcp://1.moray.lab:2020", "tcp://2.moray.lab:2020"});
}

RoutingSettings with_pnodes(std::vector<RoutingSettings::Pnode> pnodes) {
  RoutingSettings settings;
  settings.pnodes = std::move(pnodes);
  return settings;
}

struct Seen {
  Decision decision;
  std::string payload;  ///< as the shard sees it
};

Seen run(std::string_view rpc, const std::string& d, const Snapshot& snapshot) {
  static json::Document document;
  static PlanScratch scratch;
  const std::string payload =
      R"({"m":{"uts":1,"name":")" + std::string(rpc) + R"("},"d":)" + d + "}";
  REQUIRE_FALSE(document.parse(payload));
  Planned planned = plan(method_of(*backends::rpc_named(rpc)), payload, *document.root().find("d"),
                         snapshot, scratch);
  Seen seen{planned.decision, {}};
  for (const std::string_view piece : planned.edits.pieces(payload)) seen.payload += piece;
  seen.payload = seen.payload.substr(seen.payload.find("\"d\":") + 4);
  seen.payload.pop_back();
  return seen;
}

Seen run(std::string_view rpc, const std::string& d) {
  static const Snapshot snapshot = Snapshot::make(lab_ring(), {});
  return run(rpc, d, snapshot);
}

std::string error_of(const Seen& planned) {
  const auto* reject = std::get_if<Reject>(&planned.decision);
  return reject == nullptr ? "" : reject->error.name + ": " + reject->error.message;
}

ToShard shard_of(const Seen& planned) {
  REQUIRE(std::holds_alternative<ToShard>(planned.decision));
  return std::get<ToShard>(planned.decision);
}

}  // namespace

TEST_CASE("plan: a put goes to its key's shard with the vnode spliced in and _value left out") {
  const Seen put =
      run("putObject", R"(["cap_b","k1",{"str":"a","num":1},{"_value":"{}","etag":null}])");
  CHECK(shard_of(put) == ToShard{ring::PnodeIndex{0}, ring::Vnode{426}});
  CHECK(put.payload == R"(["cap_b","k1",{"str":"a","num":1,"vnode":426},{"etag":null}])");
  CHECK(run("putObject", R"(["cap_b","k1",{},{}])").payload ==
        R"(["cap_b","k1",{"vnode":426},{}])");
}

TEST_CASE("plan: the bytes of a value are not touched") {
  const Seen put = run("putObject", R"(["cap_b","k1",{"n": 1.50,"n":1E400 },[]])");
  CHECK(put.payload == R"(["cap_b","k1",{"n": 1.50,"n":1E400 ,"vnode":426},{}])");
}

TEST_CASE("plan: an etag under its old name is given under its new one too") {
  CHECK(run("putObject", R"(["cap_b","k1",{},{"_etag":"AB"}])").payload ==
        R"(["cap_b","k1",{"vnode":426},{"_etag":"AB","etag":"AB"}])");
  CHECK(run("delObject", R"(["cap_b","k1",{"_etag":null}])").payload ==
        R"(["cap_b","k1",{"_etag":null,"etag":null}])");
  CHECK(run("delObject", R"(["cap_b","k1",{"etag":"A","_etag":"B"}])").payload ==
        R"(["cap_b","k1",{"etag":"A","_etag":"B"}])");
}

TEST_CASE("plan: noCache:true always reaches a shard, once") {
  CHECK(run("getObject", R"(["cap_b","k1",{}])").payload == R"(["cap_b","k1",{"noCache":true}])");
  CHECK(run("getObject", R"(["cap_b","k1",{"noCache":true}])").payload ==
        R"(["cap_b","k1",{"noCache":true}])");
  CHECK(run("getObject", R"(["cap_b","k1",{"noCache":false}])").payload ==
        R"(["cap_b","k1",{"noCache":false,"noCache":true}])");
  CHECK(run("getObject", R"(["cap_b","k1",{"noCache":true,"noC\u0061che":false}])").payload ==
        R"(["cap_b","k1",{"noCache":true,"noC\u0061che":false,"noCache":true}])");
  CHECK(run("getObject", R"(["cap_b","k1",[]])").payload == R"(["cap_b","k1",{"noCache":true}])");
}

TEST_CASE("plan: directories of testmanta share a vnode") {
  const auto vnode = [](const std::string& key) {
    return shard_of(run("getObject", R"(["testmanta",")" + key + R"(",{}])")).vnode;
  };
  CHECK(vnode("/u/stor/d1/a") == vnode("/u/stor/d1/b"));
  CHECK(vnode("/u/stor/d1/a") != vnode("/u/stor/d2/a"));
}

TEST_CASE("plan: a moray's checks of a ping's options") {
  const auto complaint = [](const char* d) { return error_of(run("ping", d)); };
  const std::string words =
      "InvocationError: ping expects \"options\" (args[0]) to be a valid options object: ";
  CHECK(complaint("[[]]") == words + "options should be object");
  CHECK(complaint(R"([{"deep":1}])") == words + "options.deep should be boolean");
  CHECK(complaint(R"([{"req_id":5}])") == words + "options.req_id should be string");
  CHECK(complaint(R"([{"deep":false,"req_id":"x"}])") == "");
}

TEST_CASE("plan: a site may forbid clients their own SQL") {
  RoutingSettings settings;
  settings.sql = false;
  const Snapshot snapshot = Snapshot::make(lab_ring(), settings);
  CHECK(error_of(run("sql", R"(["SELECT 1",[],{}])", snapshot)) ==
        "Error: Operation not supported");
  CHECK(error_of(run("sql", R"(["SELECT 1",[],{}])")) == "");
}

TEST_CASE("plan: arguments are complained of in electric-moray's words") {
  CHECK(error_of(run("putObject", R"(["b","k",{}])")) ==
        "InvocationError: putObject expects 4 arguments");
  CHECK(error_of(run("getTokens", "[]")) == "InvocationError: getTokens expects 1 argument");
  CHECK(error_of(run("getBucket", R"(["b",{}])")) ==
        "InvocationError: getBucket expects \"options\" (args[0]) to be of type object but "
        "received type string instead");
  CHECK(error_of(run("getObject", R"(["b","k",null])")) ==
        "InvocationError: getObject expects \"options\" (args[2]) to be an object but received the "
        "value \"null\"");
  CHECK(error_of(run("batch", R"([{},{}])")) ==
        "InvocationError: batch expects \"requests\" (args[0]) to be of type array but received "
        "type object instead");
}

TEST_CASE("plan: names of JavaScript's own properties are names like any other") {
  CHECK(error_of(run("getObject", R"(["constructor","k1",{}])")) == "");
  CHECK(error_of(run("findObjects", R"(["b","a=1",{"token":"constructor"}])")) ==
        "Error: Invalid Token constructor");
  CHECK(error_of(run("findObjects", R"(["b","a=1",{"token":{}}])")) ==
        "Error: Invalid Token [object Object]");
  CHECK(error_of(run("findObjects", R"(["b","a=1",{"token":5}])")) == "Error: Invalid Token 5");
}

TEST_CASE("plan: a find goes by token before hashkey, and the hashkey is not transformed") {
  CHECK(shard_of(
            run("findObjects", R"(["b","a=1",{"token":"tcp://2.moray.lab:2020","hashkey":"f1"}])"))
            .pnode == ring::PnodeIndex{1});
  const auto by_hashkey =
      shard_of(run("findObjects", R"(["testmanta","a=1",{"hashkey":"/u/stor/d1/x"}])"));
  CHECK_FALSE(by_hashkey.vnode);
  CHECK(error_of(run("findObjects", R"(["b","a=1",{"hashkey":""}])")) ==
        "Error: Invalid search request, requires either token or hashkey");
  CHECK(error_of(run("findObjects", R"(["b","a=1",{"hashkey":5}])"))
            .find("options.hashkey should be string") != std::string::npos);
  CHECK(error_of(run("deleteMany", R"(["b","a=1",{}])")) == "Error: Operation not supported");
  CHECK(shard_of(run("deleteMany", R"(["b","a=1",{"token":"tcp://1.moray.lab:2020"}])")).pnode ==
        ring::PnodeIndex{0});
}

TEST_CASE("plan: a batch is checked in electric-moray's order and each put gets the vnode") {
  const Seen batch = run(
      "batch",
      R"([[{"bucket":"testmanta","key":"/u/stor/d1/b1","value":{}},{"bucket":"testmanta","key":"/u/stor/d1/b2","operation":"delete"},{"bucket":"testmanta","key":"/u/stor/d1/b3","operation":null,"value":{"a":1}}],{}])");
  CHECK(shard_of(batch).vnode == ring::Vnode{362});
  CHECK(
      batch.payload ==
      R"([[{"bucket":"testmanta","key":"/u/stor/d1/b1","value":{"vnode":362}},{"bucket":"testmanta","key":"/u/stor/d1/b2","operation":"delete"},{"bucket":"testmanta","key":"/u/stor/d1/b3","operation":"put","value":{"a":1,"vnode":362}}],{}])");
  CHECK(error_of(run("batch", "[[],{}]")).find("but received an empty array") != std::string::npos);
  CHECK(error_of(run("batch", "[[null],{}]")).find("requests[0] should be object") !=
        std::string::npos);
  CHECK(error_of(run("batch", R"([[{"bucket":"b","key":"k","operation":7,"value":{}}],{}])")) ==
        "Error: 7 is not an allowed batch operation");
  CHECK(error_of(run("batch", R"([[{"bucket":"b","key":"k"}],{}])"))
            .find("required property 'value'") != std::string::npos);
  CHECK(error_of(run("batch", R"([[{"bucket":"b","key":"k","value":"x"}],{}])"))
            .find("requests[0].value should be object") != std::string::npos);
  CHECK(error_of(run("batch", R"([[{"bucket":"b","key":"k","value":{},"options":5}],{}])"))
            .find("requests[0].options should be object") != std::string::npos);
  CHECK(error_of(run("batch", R"([["x"],{}])")) == "Error: all batch requests must have a \"key\"");
  CHECK(error_of(run("batch", R"([[{"key":"k","value":{}}],{}])")) ==
        "Error: all batch requests must have a \"bucket\"");
  CHECK(
      error_of(run(
          "batch",
          R"([[{"bucket":"testmanta","key":"/a/b","value":{}},{"bucket":"testmanta","key":"/c/d","value":{}}],{}])")) ==
      "Error: all requests must transform to the same key");
}

TEST_CASE("plan: read-only shards and vnodes refuse writes, and only writes") {
  const Snapshot shard_two = Snapshot::make(lab_ring(), with_pnodes({{}, {.read_only = true}}));
  const std::string pnode = "ReadOnlyError: pnode \"tcp://2.moray.lab:2020\" is in read-only mode";
  CHECK(error_of(run("putObject", R"(["cap_b","k3",{},{}])", shard_two)) == pnode);
  CHECK(error_of(run("putObject", R"(["cap_b","k1",{},{}])", shard_two)) == "");
  CHECK(error_of(run("getObject", R"(["cap_b","k3",{}])", shard_two)) == "");
  CHECK(error_of(run("createBucket", R"(["x",{},{}])", shard_two)) == pnode);
  CHECK(error_of(run("sql", R"(["x",[],{"readOnlyOverride":true}])", shard_two)) == pnode);

  std::string topology = ring::serialize_topology(*lab_ring());
  const std::size_t at = topology.find("\"189\":1");
  REQUIRE(at != std::string::npos);
  topology.replace(at, 7, "\"189\":\"ro\"");
  const Snapshot vnode = Snapshot::make(ring::parse_topology(topology), {});
  const std::string some = "ReadOnlyError: some vnodes are in read-only mode";
  CHECK(error_of(run("putObject", R"(["cap_b","k3",{},{}])", vnode)) == some);
  CHECK(error_of(run("delObject", R"(["cap_b","k3",{}])", vnode)) == some);
  CHECK(error_of(run("putObject", R"(["cap_b","k1",{},{}])", vnode)) == "");
  CHECK(error_of(run("delBucket", R"(["cap_b",{}])", vnode)) == some);
  CHECK(error_of(run("reindexObjects", R"(["cap_b",5,{}])", vnode)) == some);
  CHECK(error_of(run("sql", R"(["x",[],{}])", vnode)) == some);
  CHECK(std::holds_alternative<ToAll>(
      run("sql", R"(["x",[],{"readOnlyOverride":true}])", vnode).decision));
  CHECK(error_of(run("sql", R"(["x",[],{"readOnlyOverride":"x"}])", vnode))
            .find("should be boolean") != std::string::npos);
}

TEST_CASE("plan: what the router answers itself") {
  CHECK(run("getTokens", "[{}]").decision ==
        Decision(AnswerHere{R"(["tcp://1.moray.lab:2020","tcp://2.moray.lab:2020"])"}));
  CHECK(run("version", "[{}]").decision == Decision(AnswerHere{"{\"version\":2}"}));
  CHECK(run("ping", "[{}]").decision == Decision(AnswerHere{}));
  CHECK(std::holds_alternative<ToAll>(run("ping", R"([{"deep":true}])").decision));
  CHECK(error_of(run("listen", R"(["c",{}])")) == "Error: Operation not supported");
}

TEST_CASE("plan: rows of local buckets get no vnode") {
  RoutingSettings settings;
  settings.local_buckets = {"manta_delete_log"};
  const Snapshot snapshot = Snapshot::make(lab_ring(), settings);
  CHECK(run("putObject", R"(["manta_delete_log","/1/2",{"a":1},{}])", snapshot).payload ==
        R"(["manta_delete_log","/1/2",{"a":1},{}])");
  CHECK(run("putObject", R"(["cap_b","/1/2",{"a":1},{}])", snapshot).payload.find("\"vnode\":") !=
        std::string::npos);
  const std::string both =
      run("batch",
          R"([[{"bucket":"manta_delete_log","key":"k","value":{}},{"bucket":"b","key":"k","value":{}}],{}])",
          snapshot)
          .payload;
  CHECK(both.find(R"("key":"k","value":{}})") != std::string::npos);
  CHECK(both.find(R"("value":{"vnode":)") != std::string::npos);
}

TEST_CASE(
    "plan: listen and unlisten go to the first shard that can, or the one that a token names") {
  CHECK(error_of(run("listen", R"(["c",{}])")) == "Error: Operation not supported");
  CHECK(error_of(run("unlisten", R"(["c",{}])")) == "Error: Operation not supported");
  const Snapshot second = Snapshot::make(lab_ring(), with_pnodes({{}, {.listens = true}}));
  const auto pnode = [&](const Seen& planned) {
    return number(std::get<ToShard>(planned.decision).pnode);
  };
  CHECK(pnode(run("listen", R"(["c",{}])", second)) == 1);
  CHECK(pnode(run("unlisten", R"(["c",{}])", second)) == 1);
  CHECK(error_of(run("listen", R"(["c",{"token":"tcp://1.moray.lab:2020"}])", second)) ==
        "Error: Operation not supported");
  CHECK(error_of(run("listen", R"(["c",{"token":"nobody"}])", second)) ==
        "Error: Invalid Token nobody");
  const Snapshot both =
      Snapshot::make(lab_ring(), with_pnodes({{.listens = true}, {.listens = true}}));
  CHECK(pnode(run("listen", R"(["c",{}])", both)) == 0);
  CHECK(pnode(run("listen", R"(["c",{"token":"tcp://2.moray.lab:2020"}])", both)) == 1);
}
