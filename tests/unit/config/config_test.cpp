// Both forms of configuration, and every problem at once.
#include "config/config.hpp"

#include <doctest/doctest.h>

#include <filesystem>

#include "config/image_url.hpp"

using namespace config;

namespace {

std::string problems_of(const std::string& text) { return to_text(parse(text).problems); }

/// The only problem of a configuration that would be good but for `members`.
std::string problem_with(const std::string& members) {
  return problems_of(R"({"ring":{"location":"/r"},"shards":[],)" + members + "}");
}

std::string problem_of_shard(const std::string& members) {
  return problems_of(R"({"ring":{"location":"/r"},"shards":[{"pnode":"tcp://1.m:2020",)" + members +
                     "}]}");
}

}  // namespace

TEST_CASE("config: the examples are good") {
  std::size_t examples = 0;
  for (const auto& entry : std::filesystem::directory_iterator("config/examples")) {
    CAPTURE(entry.path());
    const Parsed parsed = load_file(entry.path());
    CHECK(to_text(parsed.problems) == "");
    CHECK(to_text(parsed.warnings) == "");
    CHECK_FALSE(parsed.config.ring_location.empty());
    ++examples;
  }
  CHECK(examples >= 4);
}

TEST_CASE("config: every setting of the example with all of them is its default, or read") {
  Config expected;
  expected.listen = {"::", 2020};
  expected.ring_location = "/var/lib/moray-router/ring";
  expected.shards_from_url = true;
  expected.resolvers = {"10.0.0.53", "10.0.1.53:5353"};
  CHECK(load_file("config/examples/all-settings.json").config == expected);
}

TEST_CASE("config: five mistakes are five problems, each with its place") {
  const Parsed parsed = parse(R"({
    "listen": {"host": "localhost"},
    "ring": {"location": "/r"},
    "wrokers": 2, "status": {"port": 70000},
    "shards": [{"pnode": "tcp://1.m:2020", "backend": "mysql"},
               {"pnode": "tcp://2.m:2020", "backend": "embedded"}]})");
  CHECK(parsed.problems.size() == 5);
  const std::string text = to_text(parsed.problems);
  CHECK(text.find("status.port: ") != std::string::npos);
  CHECK(text.find("listen.host: must be an IP address, not \"localhost\"") != std::string::npos);
  CHECK(text.find("wrokers: is not a known setting") != std::string::npos);
  CHECK(text.find("shards[0].backend: must be \"moray\", \"postgres\" or \"embedded\", not ") !=
        std::string::npos);
  CHECK(text.find("shards[1]: needs \"path\"") != std::string::npos);
}

TEST_CASE("config: what is not JSON, not there, or of another type") {
  CHECK(problems_of("{") != "");
  CHECK(problems_of("[]") != "");
  CHECK(to_text(load_file("/nonexistent/config.json").problems) ==
        "/nonexistent/config.json: cannot be read\n");
  CHECK(problem_with(R"("workers":-1)").find("workers: ") == 0);
  CHECK(problem_with(R"("workers":"two")").find("workers: ") == 0);
  CHECK(problem_with(R"("log":{"level":"loud"})").find("log.level: ") == 0);
  CHECK(problem_with(R"("timeouts":{"objectMs":0})").find("timeouts.objectMs: ") == 0);
  CHECK(problem_with(R"("limits":{"frameBytesMax":1})").find("limits.frameBytesMax: ") == 0);
  CHECK(problem_with(R"("dns":{"resolvers":["not an address:x"]})").find("dns.resolvers: ") == 0);
  CHECK(problem_with(R"("pool":{"pointConnectionsMax":1})")
            .find("pool.pointConnectionsMax: is not a known setting") == 0);
}

TEST_CASE("config: each kind of shard has its members and no others") {
  CHECK(problem_of_shard(R"("address":"10.0.0.1:2021")") == "");
  CHECK(problem_of_shard(R"("backend":"moray")") ==
        "shards[0]: needs either \"address\" or \"srv\"\n");
  CHECK(problem_of_shard(R"("address":"10.0.0.1:2021","srv":"x")") ==
        "shards[0]: needs either \"address\" or \"srv\"\n");
  CHECK(problem_of_shard(R"("address":"10.0.0.1:x")") ==
        "shards[0].address: is not host:port: \"10.0.0.1:x\"\n");
  CHECK(problem_of_shard(R"("srv":"x","fastVersion":3)") ==
        "shards[0].fastVersion: must be 1 or 2, not the number 3\n");
  CHECK(problem_of_shard(R"("srv":"x","path":"/p")").find("shards[0].path: does not belong") == 0);
  CHECK(problem_of_shard(R"("backend":"embedded","path":"/p","srv":"x")")
            .find("shards[0].srv: does not belong") == 0);
  CHECK(
      problems_of(
          R"({"ring":{"location":"/r"},"shards":[{"pnode":"a","srv":"x"},{"pnode":"a","srv":"y"}]})") ==
      "shards[1].pnode: \"a\" has a shard already\n");
  CHECK(
      problems_of(
          R"({"ring":{"location":"/r"},"shards":[{"pnode":"a","backend":"embedded","path":"/p/x"},)"
          R"({"pnode":"b","backend":"embedded","path":"/p/./x"}]})") ==
      "shards[1].path: \"/p/./x\" belongs to another shard already\n");
}

TEST_CASE("config: shards follow the ring's pnodes") {
  const std::vector<std::string> pnodes{"tcp://2.m:2020", "tcp://1.m:2021"};
  Config config =
      parse(
          R"({"ring":{"location":"/r"},"shards":[{"pnode":"tcp://2.m:2020","srv":"x"},{"pnode":"other","srv":"y"}]})")
          .config;
  ResolvedShards resolved = resolve_shards(config, pnodes);
  CHECK(to_text(resolved.problems) == "shards: the ring's pnode \"tcp://1.m:2021\" has no shard\n");
  CHECK(to_text(resolved.warnings) == "shards: \"other\" is not a pnode of the ring\n");

  config.shards_from_url = true;
  resolved = resolve_shards(config, pnodes);
  CHECK(resolved.problems.empty());
  REQUIRE(resolved.shards.size() == 2);
  CHECK(resolved.shards[0].srv == "x");
  CHECK(resolved.shards[1].srv == "1.m");
  CHECK(resolved.shards[1].default_port == 2021);
}

TEST_CASE("config: electric-moray's form") {
  const Parsed parsed = load_file("config/examples/electric-moray.json");
  const Config& config = parsed.config;
  CHECK(config.electric_moray);
  CHECK(config.listen.host == "::");
  CHECK(config.resolvers == std::vector<std::string>{"10.0.0.53"});
  const ResolvedShards resolved =
      resolve_shards(config, {"tcp://1.moray.example.com:2020", "tcp://2.moray.example.com:2020",
                              "tcp://3.moray.example.com:2020", "nonsense"});
  REQUIRE(resolved.shards.size() == 3);
  CHECK_FALSE(resolved.shards[0].read_only);
  CHECK(resolved.shards[1].read_only);
  CHECK(resolved.shards[2].read_only);  // not among the index shards
  CHECK(resolved.warnings.size() == 1);
  CHECK(to_text(resolved.problems) == "nonsense: is not of the form tcp://host:port\n");
  CHECK(problems_of(R"({"ringCfg":{"location":"/r"}})") == "ringCfg.indexShards: is required\n");
  CHECK(problems_of(R"({"ringCfg":{"indexShards":{}}})")
            .find("ringCfg.indexShards: must be a list") == 0);
  CHECK(problems_of(R"({"ringCfg":{"indexShards":[{}]}})") ==
        "ringCfg.indexShards[0].host: is required\n");
}

TEST_CASE("config: addresses") {
  CHECK(parse_address("10.0.0.1:5", 1) == Endpoint{"10.0.0.1", 5});
  CHECK(parse_address("host", 7) == Endpoint{"host", 7});
  CHECK(parse_address("[::1]:5", 1) == Endpoint{"::1", 5});
  CHECK_FALSE(parse_address("", 1));
  CHECK_FALSE(parse_address("host:", 1));
  CHECK_FALSE(parse_address("host:70000", 1));
  CHECK(parse_pnode_url("tcp://1.m:2020") == Endpoint{"1.m", 2020});
  CHECK_FALSE(parse_pnode_url("http://1.m:2020"));
  CHECK(parse_pnode_url("tcp://1.m")->host == "1.m");
}

TEST_CASE("config: a fleet's member") {
  const Config config = load_file("config/examples/fleet.json").config;
  CHECK(config.fleet.enabled());
  CHECK(config.fleet.zookeeper ==
        std::vector<std::string>{"10.0.0.1:2181", "10.0.0.2:2181", "10.0.0.3:2181"});
  CHECK_FALSE(config.fleet.start_waits);
  CHECK_FALSE(load_file("config/examples/moray.json").config.fleet.enabled());

  const Config defaults =
      parse(R"({"ring":{"location":"/r"},"shards":[],"fleet":{"name":"f","zookeeper":["zk"]}})")
          .config;
  CHECK(defaults.fleet.zookeeper == std::vector<std::string>{"zk:2181"});
  CHECK(defaults.fleet.start_wait_ms == 3000);
  CHECK(defaults.fleet.image_bytes_max == 1 << 20);
  CHECK(defaults.fleet.image_url.empty());
  CHECK(parse(R"({"ring":{"location":"/r"},"shards":[],
                  "fleet":{"name":"f","zookeeper":["zk"],"start":"wait"}})")
            .config.fleet.start_waits);

  CHECK(problem_with(R"("fleet":{"name":"a/b","zookeeper":["zk"]})").starts_with("fleet.name: "));
  CHECK(problem_with(R"("fleet":{"zookeeper":["zk"]})").starts_with("fleet.name: is required"));
  CHECK(problem_with(R"("fleet":{"name":"f"})").starts_with("fleet.zookeeper: is required"));
  for (const std::string servers : {"[]", "7", R"(["a:b"])", R"([""])", "[7]"})
    CHECK(problem_with(R"("fleet":{"name":"f","zookeeper":)" + servers + "}")
              .starts_with("fleet.zookeeper: must be a list"));
  const std::string good = R"("fleet":{"name":"f","zookeeper":["zk"],)";
  CHECK(problem_with(good + R"("member":"a b"})").starts_with("fleet.member: "));
  CHECK(
      problem_with(good + R"("start":"soon"})").starts_with("fleet.start: must be serve or wait"));
  CHECK(problem_with(good + R"("sessionMs":10})").starts_with("fleet.sessionMs: "));
  CHECK(problem_with(good + R"("ring":1})").starts_with("fleet.ring: "));
  CHECK(problem_with(good + R"("imageBytesMax":4194305})").starts_with("fleet.imageBytesMax: "));
}

TEST_CASE("config: where a fleet's images are beside ZooKeeper") {
  CHECK(image_url_from("http://h/{digest}") == ImageUrl{{{"h", 80}, "/{digest}"}});
  const ImageUrl url = image_url_from("http://[::1]:8080/r/{digest}.img?of={digest}");
  CHECK(url.server == Endpoint{"::1", 8080});
  CHECK(url.target_of("aa") == "/r/aa.img?of=aa");
  const std::string good = R"("fleet":{"name":"f","zookeeper":["zk"],"imageUrl":")";
  const auto problem_of = [&](const std::string& text) {
    return problem_with(good + text + "\"}");
  };
  CHECK(problem_of("https://h/{digest}")
            .starts_with("fleet.imageUrl: must begin with http://: this program has no https"));
  for (const char* text : {"ftp://h/{digest}", "h/{digest}"})
    CHECK(problem_of(text).starts_with("fleet.imageUrl: must begin with http://, not"));
  for (const char* text : {"http://h", "http://h/", "http://h/digest"})
    CHECK(problem_of(text).starts_with("fleet.imageUrl: must have {digest}"));
  for (const char* text : {"http:///{digest}", "http://h:0/{digest}", "http://me:it@h/{digest}",
                           "http://me@h/{digest}"})
    CHECK(problem_of(text).starts_with("fleet.imageUrl: names no host"));
  for (const char* text : {"http://h/{digest} x", "http://h/{digest}#x", "http://h/{digest}\\r"})
    CHECK(problem_of(text).starts_with("fleet.imageUrl: takes printable"));
}
