// What an embedded shard's store keeps of blocks that it has read.
#include <doctest/doctest.h>

#include <memory>
#include <string>

#include <leveldb/db.h>

#include "backends/embedded/block_cache.hpp"
#include "tests/support/test_data.hpp"

using namespace test_support;
using backends::embedded::BlockCache;

namespace {

constexpr std::size_t kCacheBytes = 1 << 20;

/// A block of which the cache is told; `value` is how often it was let go.
leveldb::Cache::Handle* insert(BlockCache& cache, const std::string& key, int& value,
                               std::size_t bytes) {
  return cache.Insert(key, &value, bytes,
                      [](const leveldb::Slice&, void* let_go) { ++*static_cast<int*>(let_go); });
}

bool has(BlockCache& cache, const std::string& key) {
  leveldb::Cache::Handle* found = cache.Lookup(key);
  if (found != nullptr) cache.Release(found);
  return found != nullptr;
}

}  // namespace

TEST_CASE(
    "block cache: of large blocks those that were used last stay, and take no other's place") {
  int small = 0, first = 0, second = 0, third = 0;
  BlockCache cache(kCacheBytes);
  cache.Release(insert(cache, "small", small, 1000));
  cache.Release(insert(cache, "first", first, 400'000));
  cache.Release(insert(cache, "second", second, 400'000));
  CHECK(has(cache, "first"));
  cache.Release(insert(cache, "third", third, 400'000));
  CHECK(second == 1);
  CHECK(!has(cache, "second"));
  CHECK(has(cache, "first"));
  CHECK(has(cache, "third"));
  CHECK(has(cache, "small"));
  CHECK(cache.TotalCharge() == 801'000);
}

TEST_CASE("block cache: one block that is larger than all may be stays until the next large one") {
  int huge = 0, next = 0;
  BlockCache cache(kCacheBytes);
  leveldb::Cache::Handle* used = insert(cache, "huge", huge, 9 * kCacheBytes);
  CHECK(has(cache, "huge"));
  cache.Release(insert(cache, "next", next, 100'000));
  CHECK(!has(cache, "huge"));
  CHECK(huge == 0);  // it is read yet
  CHECK(cache.Value(used) == &huge);
  cache.Release(used);
  CHECK(huge == 1);
  CHECK(cache.TotalCharge() == 100'000);
}

TEST_CASE("block cache: what is erased or pruned counts no more") {
  int first = 0, second = 0;
  BlockCache cache(kCacheBytes);
  cache.Release(insert(cache, "first", first, 100'000));
  cache.Release(insert(cache, "second", second, 100'000));
  cache.Erase("first");
  CHECK(first == 1);
  CHECK(cache.TotalCharge() == 100'000);
  cache.Prune();
  CHECK(second == 1);
  CHECK(cache.TotalCharge() == 0);
}

TEST_CASE("block cache: a store whose rows are large keeps no more than its bound") {
  const TemporaryDirectory directory;
  BlockCache cache(kCacheBytes);
  leveldb::Options settings;
  settings.create_if_missing = true;
  settings.block_cache = &cache;
  leveldb::DB* opened = nullptr;
  REQUIRE(leveldb::DB::Open(settings, directory.path() / "rows", &opened).ok());
  const std::unique_ptr<leveldb::DB> db(opened);
  const std::string text(300'000, 'x');
  const auto key = [](int i) { return "row " + std::to_string(i); };
  for (int i = 0; i < 64; ++i) REQUIRE(db->Put({}, key(i), text).ok());
  db->CompactRange(nullptr, nullptr);
  for (int i = 0; i < 64; ++i) {
    std::string read;
    REQUIRE(db->Get({}, key(i), &read).ok());
    CHECK(read == text);
  }
  CHECK(cache.TotalCharge() <= kCacheBytes);
}
