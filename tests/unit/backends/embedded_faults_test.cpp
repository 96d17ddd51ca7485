// An embedded shard whose disk is full, and one that was killed.
#include <doctest/doctest.h>

#include <map>
#include <thread>

#include "backends/embedded/embedded_shard.hpp"
#include "backends/embedded/owners.hpp"
#include "tests/contract/shard_client.hpp"
#include "tests/support/test_data.hpp"
#include "tests/unit/backends/faulty_env.hpp"

using namespace test_support;
using backends::Rpc;
using backends::embedded::EmbeddedShard;
using backends::embedded::Owner;
using backends::embedded::StoreOptions;

namespace {

struct System {
  explicit System(StoreOptions options) : owner(std::make_shared<Owner>(options, true)) {}

  Answer put(const std::string& key, const std::string& value) {
    return client.call(Rpc::put_object, "[\"b\",\"" + key + "\",{\"v\":\"" + value + "\"},{}]");
  }
  /// The stored value, or the error.
  std::string get(const std::string& key) {
    const Answer answer = client.call(Rpc::get_object, "[\"b\",\"" + key + "\",{}]");
    if (answer.error) return answer.error_text();
    return *answer.values.at(0).get("value")->get("v")->string();
  }

  boost::asio::io_context loop;
  std::shared_ptr<Owner> owner;
  EmbeddedShard shard{loop, owner, "shard", 1000};
  ShardClient client{shard, loop};
};

}  // namespace

TEST_CASE("embedded: a full disk fails writes and says so; reads go on; space brings writes back") {
  const TemporaryDirectory directory;
  FaultyEnv env;
  std::map<std::string, std::string> acknowledged;
  std::string in_doubt;
  {
    System system({directory.path() / "shard", &env, std::chrono::milliseconds(20)});
    REQUIRE(system.client.call(Rpc::create_bucket, R"(["b",{},{}])").error_text().empty());
    const std::string filling(5000, 'x');
    env.bytes_left = 300'000;
    int i = 0;
    for (;; ++i) {
      const std::string key = "k" + std::to_string(i);
      const Answer answer = system.put(key, filling + key);
      if (answer.error) {
        in_doubt = key;
        CHECK(answer.error_text().find("InternalError: ") == 0);
        CHECK(answer.error_text().find("No space left on device") != std::string::npos);
        CHECK(answer.error_text().find("may or may not be stored") != std::string::npos);
        break;
      }
      acknowledged[key] = filling + key;
      REQUIRE(i < 1000);
    }
    CHECK(acknowledged.size() > 20);
    // Refused without doubt from now on, and reads serve.
    CHECK(system.put("later", "x").error_text().find("nothing was written") != std::string::npos);
    CHECK(system.get("k0") == acknowledged["k0"]);
    CHECK(system.client.call(Rpc::find_objects, R"json(["b","(_key=k1*)",{}])json").values.size() >=
          10);
    CHECK(system.shard.status().last_problem.find("No space") != std::string::npos);

    env.bytes_left = FaultyEnv::kPlenty;
    bool back = false;
    for (int tries = 0; tries < 500 && !back; ++tries) {
      back = system.put("after", "space").error_text().empty();
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    CAPTURE(system.shard.status().last_problem);
    CHECK(back);
    acknowledged["after"] = "space";
    CHECK(system.shard.status().last_problem.empty());
    for (const auto& [key, value] : acknowledged) CHECK(system.get(key) == value);
  }
  System again({directory.path() / "shard"});
  for (const auto& [key, value] : acknowledged) CHECK(again.get(key) == value);
  const std::string doubtful = again.get(in_doubt);
  CHECK((doubtful.ends_with(in_doubt) ||
         doubtful == "ObjectNotFoundError: b::" + in_doubt + " does not exist"));
}

TEST_CASE("embedded: a write is whole or absent wherever the disk fills up") {
  // A batch of two rows, torn at each of many places of the log.
  for (std::int64_t room = 10; room < 700; room += 37) {
    CAPTURE(room);
    const TemporaryDirectory directory;
    FaultyEnv env;
    {
      System system({directory.path() / "shard", &env, std::chrono::milliseconds(20)});
      REQUIRE(system.client.call(Rpc::create_bucket, R"(["b",{},{}])").error_text().empty());
      env.bytes_left = room;
      const Answer answer = system.client.call(
          Rpc::batch,
          R"([[{"bucket":"b","key":"x","value":{"v":"1"}},{"bucket":"b","key":"y","value":{"v":"1"}}],{}])");
      if (!answer.error) continue;  // there was room
      env.bytes_left = FaultyEnv::kPlenty;
    }
    System again({directory.path() / "shard"});
    CHECK((again.get("x") == "1") == (again.get("y") == "1"));
  }
}

TEST_CASE("embedded: a directory in use, and one that is something else, are refused by name") {
  const TemporaryDirectory directory;
  const Owner first({directory.path() / "shard"}, true);
  CHECK_THROWS_WITH_AS(Owner({directory.path() / "shard"}, true),
                       doctest::Contains("is open already"), std::runtime_error);
  {
    leveldb::DB* other = nullptr;
    leveldb::Options options;
    options.create_if_missing = true;
    REQUIRE(leveldb::DB::Open(options, directory.path() / "other", &other).ok());
    other->Put({}, "VNODE_COUNT", "1");
    delete other;
  }
  CHECK_THROWS_WITH_AS(Owner({directory.path() / "other"}, true),
                       doctest::Contains("something else"), std::runtime_error);
  CHECK_THROWS_WITH_AS(Owner({"/proc/nowhere"}, true), doctest::Contains("/proc/nowhere"),
                       std::runtime_error);
}

TEST_CASE("embedded: the workers of a process share a directory's owner") {
  const TemporaryDirectory directory;
  backends::embedded::Owners owners;
  const auto one = owners.open({directory.path() / "shard"}, true);
  CHECK(owners.open({directory.path() / "." / "shard"}, false) == one);
  CHECK(owners.open({directory.path() / "other"}, true) != one);
}

TEST_CASE("embedded: a dropped bucket's rows go, and a new one of its name is empty") {
  const TemporaryDirectory directory;
  {
    System system({directory.path() / "shard"});
    const std::string create = R"(["b",{"index":{"v":{"type":"string","unique":true}}},{}])";
    REQUIRE(system.client.call(Rpc::create_bucket, create).error_text().empty());
    for (int i = 0; i < 1500; ++i)
      REQUIRE(system.put("k" + std::to_string(i), std::to_string(i)).error_text().empty());
    REQUIRE(system.client.call(Rpc::del_bucket, R"(["b",{}])").error_text().empty());
    REQUIRE(system.client.call(Rpc::create_bucket, create).error_text().empty());
    CHECK(system.get("k1") == "ObjectNotFoundError: b::k1 does not exist");
    CHECK(system.put("other", "1").error_text().empty());  // the unique value is free
    system.client.call(Rpc::get_object, R"(["b","other",{}])");
  }
  // Reopened, the purge goes on from where it was; only what belongs to the new bucket is left.
  {
    System system({directory.path() / "shard"});
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
  }
  leveldb::DB* db = nullptr;
  REQUIRE(leveldb::DB::Open({}, directory.path() / "shard", &db).ok());
  std::map<char, int> kinds;
  {
    const std::unique_ptr<leveldb::Iterator> all(db->NewIterator({}));
    for (all->SeekToFirst(); all->Valid(); all->Next()) ++kinds[all->key()[0]];
  }
  delete db;
  CHECK(kinds == std::map<char, int>{{'b', 1}, {'c', 1}, {'m', 2}, {'r', 1}, {'u', 1}});
}
