// What the ring tool does beyond node-fash's: locate, verify, digest, stats, export, import, plot.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include <nlohmann/json.hpp>

#include "ring_tool/run.hpp"
#include "tests/support/test_data.hpp"

using namespace test_support;
namespace fs = std::filesystem;

namespace {

struct Outcome {
  int code = 0;
  std::string out, err;
};

Outcome run(const std::vector<std::string>& words, const std::string& input = "") {
  std::istringstream in(input);
  std::ostringstream out, err;
  const int code = ring_tool::run(words, {in, out, err});
  return {code, out.str(), err.str()};
}

/// The recorded ring of that name, unpacked.
struct Ring {
  explicit Ring(const std::string& name) : path((directory.path() / name).string()) {
    unpack_archive(data_path("ring/rings/" + name + ".leveldb.tar.gz"), directory.path());
  }
  TemporaryDirectory directory;
  std::string path;
};

}  // namespace

TEST_CASE("ring locate: by bucket and key, one or many, as the recorded rings say") {
  const Ring ring("plain-100");
  std::string keys;
  std::vector<nlohmann::json> expected;
  for (const std::string& line : read_lines(data_path("ring/rings/plain-100.nodes.jsonl"))) {
    expected.push_back(nlohmann::json::parse(line));
    keys += nlohmann::json{{"bucket", "other"}, {"key", expected.back()["key"]}}.dump() + "\n";
  }
  const Outcome all = run({"locate", "-b", "leveldb", "-l", ring.path, "--jsonl"}, keys);
  REQUIRE(all.code == 0);
  std::istringstream lines(all.out);
  std::string line;
  for (const auto& one : expected) {
    REQUIRE(std::getline(lines, line));
    const auto found = nlohmann::json::parse(line);
    CHECK(found["key"] == one["key"]);
    CHECK(found["tkey"] == one["key"]);
    CHECK(found["pnode"] == one["pnode"]);
    CHECK(found["vnode"] == one["vnode"]);
    CHECK(found["data"] == one["data"]);
  }
  const auto by_directory = nlohmann::json::parse(
      run({"locate", "-b", "leveldb", "-l", ring.path, "manta", "/a/b/c"}).out);
  CHECK(by_directory["tkey"] == "/a/b");
  CHECK(by_directory["vnode"] ==
        nlohmann::json::parse(
            run({"locate", "-b", "leveldb", "-l", ring.path, "x", "/a/b"}).out)["vnode"]);
}

TEST_CASE("ring locate: a line that is none is named, and what came before is answered") {
  const Ring ring("plain-100");
  const std::vector<std::string> words{"locate", "-b", "leveldb", "-l", ring.path, "--jsonl"};
  const Outcome bad = run(words, "{\"bucket\":\"b\",\"key\":\"k\"}\n{\"bucket\":1}\n");
  CHECK(bad.code == 1);
  CHECK(bad.err == "fash: line 2: has no text \"bucket\"\n");
  CHECK(bad.out.find("\"key\":\"k\"") != std::string::npos);
  CHECK(run(words, "nonsense\n").err == "fash: line 1: is not JSON\n");
  CHECK(run({"locate", "-b", "leveldb", "-l", ring.path, "only-a-bucket"}).code == 1);
  CHECK(run({"locate", "-b", "memory", "--jsonl"}, "").code == 1);
}

TEST_CASE("ring verify: every good ring is whole, every bad one is refused by name") {
  for (const char* name :
       {"plain-100", "ro-64", "remapped-60", "snappy-500", "history-300", "odd-missing-list"}) {
    const Ring ring(name);
    CHECK(run({"verify", "-b", "leveldb", "-l", ring.path}).out.find("whole: ") == 0);
  }
  for (const char* name :
       {"bad-missing-vnode-mid", "bad-missing-data-key", "bad-flipped-bytes", "bad-no-complete"}) {
    const Ring ring(name);
    const Outcome outcome = run({"verify", "-b", "leveldb", "-l", ring.path});
    CHECK(outcome.code == 1);
    CHECK(outcome.err.find(name) != std::string::npos);
  }
}

TEST_CASE("ring digest: the same for a ring, its topology, and its archive brought in again") {
  const Ring ring("ro-64");
  const std::string digest = run({"digest", "-b", "leveldb", "-l", ring.path}).out;
  CHECK(digest.size() == 65);
  const std::string topology = run({"print-hash", "-b", "leveldb", "-l", ring.path}).out;
  CHECK(run({"digest", "-b", "memory"}, topology).out == digest);
  for (const char* archive : {"x.tar", "x.tar.gz"}) {
    const std::string file = (ring.directory.path() / archive).string();
    const std::string again = (ring.directory.path() / (std::string("again-") + archive)).string();
    CHECK(run({"export", "-l", ring.path, file}).out == digest);
    CHECK(run({"export", "-l", ring.path, file}).code == 1);  // it is there already
    CHECK(run({"import", "-l", again, file}).out == digest);
    CHECK(run({"digest", "-b", "leveldb", "-l", again}).out == digest);
    CHECK(run({"import", "-l", again, file}).code == 1);
  }
}

TEST_CASE("ring import: what is no ring leaves nothing behind") {
  const Ring bad("bad-missing-vnode-mid");
  fs::rename(bad.path, bad.directory.path() / "hash_ring");
  const std::string file = (bad.directory.path() / "bad.tar").string();
  REQUIRE(
      std::system(("tar -cf '" + file + "' -C '" + bad.directory.path().string() + "' hash_ring")
                      .c_str()) == 0);
  const std::string target = (bad.directory.path() / "target").string();
  const Outcome outcome = run({"import", "-l", target, file});
  CHECK(outcome.code == 1);
  CHECK(outcome.err.find("/VNODE/") != std::string::npos);
  CHECK_FALSE(fs::exists(target));
  for (const auto& entry : fs::directory_iterator(bad.directory.path()))
    CHECK(entry.path().filename().string()[0] != '.');
}

TEST_CASE("ring stats: how many vnodes each pnode has, and how far from even") {
  const Ring ring("ro-64");
  const std::string out = run({"stats", "-b", "leveldb", "-l", ring.path}).out;
  CHECK(out.find("tcp://1.moray.example.com:2020        32   50.00%    +0.00%") !=
        std::string::npos);
  CHECK(out.find("64 vnodes over 2 pnodes; standard deviation 0.00%") != std::string::npos);
  CHECK(out.find("5 vnodes with data") != std::string::npos);
}

TEST_CASE("ring plot: an SVG that names every pnode and what moves") {
  const Ring ring("plain-100");
  const std::string moved = (ring.directory.path() / "moved").string();
  fs::copy(ring.path, moved, fs::copy_options::recursive);
  REQUIRE(run({"remap-vnode", "-b", "leveldb", "-l", moved, "-v", "0,3,6", "-p",
               "tcp://new.example.com:2020"})
              .code == 0);
  const std::string file = (ring.directory.path() / "plot.svg").string();
  REQUIRE(run({"plot", "-f", file, ring.path, moved}).code == 0);
  const std::string svg = read_file(file);
  CHECK(svg.find("<svg ") == 0);
  CHECK(svg.find("What moves: 3 vnodes (3.0%)") != std::string::npos);
  CHECK(svg.find("1.moray.example.com → new.example.com") != std::string::npos);
  CHECK(run({"plot", "-f", file}).code == 1);
  CHECK(run({"plot", "-f", "/nonexistent/x.svg", ring.path}).code == 1);
}
