#include <functional>

#include <doctest/doctest.h>

#include "ring/leveldb_store.hpp"
#include "tests/support/test_data.hpp"
#include "tests/unit/ring/ring_support.hpp"

namespace {

using Entries = std::map<std::string, std::string>;

/// One damage to a ring of 12 vnodes and pnodes a, b, c, and what a load must say.
struct Damage {
  const char* what;
  std::function<void(Entries&)> make;
  std::vector<std::string> says;
};

std::function<void(Entries&)> set(std::string key, std::string value) {
  return [=](Entries& entries) { entries[key] = value; };
}
std::function<void(Entries&)> drop(std::string key) {
  return [=](Entries& entries) { entries.erase(key); };
}

std::string algorithm(const std::string& name, const std::string& interval) {
  return R"({"NAME":")" + name + R"(","MAX":"FF","VNODE_HASH_INTERVAL":)" + interval + "}";
}

const std::vector<Damage> kDamages{
    {"no VERSION", drop("VERSION"), {"key VERSION", "missing"}},
    {"VERSION not a string", set("VERSION", "2"), {"key VERSION"}},
    {"VERSION not JSON", set("VERSION", "2.1.0"), {"key VERSION", "JSON"}},
    {"newer VERSION", set("VERSION", "\"2.1.1\""), {"key VERSION", "2.1.1"}},
    {"unparsable VERSION", set("VERSION", "\"abc\""), {"key VERSION", "abc"}},
    {"no VNODE_COUNT", drop("VNODE_COUNT"), {"key VNODE_COUNT", "missing"}},
    {"VNODE_COUNT 0", set("VNODE_COUNT", "0"), {"key VNODE_COUNT"}},
    {"VNODE_COUNT negative", set("VNODE_COUNT", "-1"), {"key VNODE_COUNT"}},
    {"VNODE_COUNT a fraction", set("VNODE_COUNT", "12.5"), {"key VNODE_COUNT"}},
    {"VNODE_COUNT a string", set("VNODE_COUNT", "\"12\""), {"key VNODE_COUNT"}},
    {"VNODE_COUNT huge", set("VNODE_COUNT", "99999999999"), {"key VNODE_COUNT"}},
    {"VNODE_COUNT too large", set("VNODE_COUNT", "13"), {"key /VNODE/12", "missing"}},
    {"VNODE_COUNT too small", set("VNODE_COUNT", "11"), {"key /VNODE/11", "beyond"}},
    {"no ALGORITHM", drop("ALGORITHM"), {"key ALGORITHM", "missing"}},
    {"ALGORITHM a string", set("ALGORITHM", "\"md5\""), {"key ALGORITHM"}},
    {"unknown ALGORITHM",
     set("ALGORITHM", algorithm("sha512", "\"ff\"")),
     {"key ALGORITHM", "sha512"}},
    {"interval 0", set("ALGORITHM", algorithm("md5", "\"00\"")), {"INTERVAL"}},
    {"interval no hex", set("ALGORITHM", algorithm("md5", "\"zz\"")), {"INTERVAL", "zz"}},
    {"interval a number", set("ALGORITHM", algorithm("md5", "12")), {"key ALGORITHM", "INTERVAL"}},
    {"interval of another ring",
     set("ALGORITHM", algorithm("sha256", '"' + std::string(62, '5') + '"')),
     {"INTERVAL", "too small for 12 vnodes"}},
    {"no /PNODE", drop("/PNODE"), {"key /PNODE", "missing"}},
    {"/PNODE no array", set("/PNODE", "{}"), {"key /PNODE"}},
    {"/PNODE cut", set("/PNODE", "[\"a\","), {"key /PNODE", "JSON"}},
    {"/PNODE empty", set("/PNODE", "[]"), {"/VNODE/0", "\"a\""}},
    {"/PNODE of numbers", set("/PNODE", "[1,2]"), {"key /PNODE"}},
    {"/PNODE twice the same", set("/PNODE", R"(["a","b","c","a"])"), {"\"a\"", "twice"}},
    {"/PNODE with colliding names", set("/PNODE", R"(["a","b","c","a/7"])"), {"a/7", "collides"}},
    {"owner not listed", set("/PNODE", R"(["a","b"])"), {"key /VNODE/", "\"c\"", "/PNODE"}},
    {"owner no string", set("/VNODE/5", "5"), {"key /VNODE/5"}},
    {"owner zero bytes", set("/VNODE/5", ""), {"key /VNODE/5"}},
    {"vnode behind the last", set("/VNODE/12", "\"a\""), {"key /VNODE/12", "beyond"}},
    {"vnode with leading zero", set("/VNODE/05", "\"a\""), {"key /VNODE/05"}},
    {"vnode no number", set("/VNODE/x", "\"a\""), {"key /VNODE/x"}},
    {"data not JSON", set("/PNODE/a/0", "ro"), {"key /PNODE/a/0", "JSON"}},
    {"data zero bytes", set("/PNODE/a/0", ""), {"key /PNODE/a/0", "JSON"}},
};

}  // namespace

TEST_CASE("load: each single damage is refused by its key") {
  const test_support::TemporaryDirectory directory;
  Entries whole = ring_support::recorded_entries("odd-missing-list");
  int number = 0;
  for (const Damage& damage : kDamages) {
    CAPTURE(damage.what);
    Entries entries = whole;
    damage.make(entries);
    const auto path = directory.path() / std::to_string(number++);
    ring_support::write_entries(path, entries);
    const std::string refusal = ring_support::refusal(path);
    CAPTURE(refusal);
    CHECK(refusal.find(path.string()) != std::string::npos);
    for (const std::string& words : damage.says) CHECK(refusal.find(words) != std::string::npos);
  }
}

TEST_CASE("load: what routing does not need may be missing or odd") {
  const test_support::TemporaryDirectory directory;
  const Entries whole = ring_support::recorded_entries("odd-missing-list");
  const std::vector<std::function<void(Entries&)>> harmless{drop("/PNODE/a"),
                                                            set("/PNODE/a", ""),
                                                            drop("VNODE_DATA"),
                                                            set("VNODE_DATA", "[\"1\"]"),
                                                            set("COMPLETE", "0"),
                                                            set("VERSION", "\"1.0.0\""),
                                                            set("/VNODE/5", R"("\u0063")"),
                                                            set("/PNODE/d/3", "1"),
                                                            set("/PNODE/a/99", "1"),
                                                            set("/OTHER", "1")};
  int number = 0;
  for (const auto& change : harmless) {
    CAPTURE(number);
    Entries entries = whole;
    change(entries);
    const auto path = directory.path() / std::to_string(number++);
    ring_support::write_entries(path, entries);
    CHECK(ring_support::refusal(path) == "");
  }
}

TEST_CASE("load: an absent directory is refused and not created") {
  const test_support::TemporaryDirectory directory;
  const auto path = directory.path() / "absent";
  CHECK(ring_support::refusal(path).find(path.string()) != std::string::npos);
  CHECK(!std::filesystem::exists(path));
  CHECK(ring_support::refusal(directory.path()).find("does not exist") != std::string::npos);
  CHECK(std::filesystem::is_empty(directory.path()));
}
