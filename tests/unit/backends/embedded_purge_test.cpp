// What an embedded shard does when buckets are deleted.
#include <doctest/doctest.h>

#include <atomic>

#include <leveldb/comparator.h>

#include "tests/unit/backends/embedded_bench.hpp"

using namespace test_support;
using backends::Rpc;
using backends::embedded::Owner;
using backends::embedded::StoreOptions;

namespace {

/// Bytes in their order, and how often two keys were compared: what LevelDB does for a request.
/// Thread-safe.
class CountingComparator final : public leveldb::Comparator {
 public:
  mutable std::atomic<std::size_t> comparisons{0};

  int Compare(const leveldb::Slice& a, const leveldb::Slice& b) const override {
    comparisons.fetch_add(1, std::memory_order_relaxed);
    return bytewise_->Compare(a, b);
  }
  const char* Name() const override { return bytewise_->Name(); }
  void FindShortestSeparator(std::string* start, const leveldb::Slice& limit) const override {
    bytewise_->FindShortestSeparator(start, limit);
  }
  void FindShortSuccessor(std::string* key) const override { bytewise_->FindShortSuccessor(key); }

 private:
  const leveldb::Comparator* bytewise_ = leveldb::BytewiseComparator();
};

struct PurgeScene {
  TemporaryDirectory directory;
  CountingComparator comparator;
  std::shared_ptr<Owner> owner;
  std::unique_ptr<Worker> worker;

  PurgeScene() {
    StoreOptions options{directory.path() / "shard"};
    options.comparator = &comparator;
    owner = std::make_shared<Owner>(options, false);
    worker = std::make_unique<Worker>(owner);
    await_purged();
  }
  void await_purged() {
    run_until(worker->loop, [this] { return !owner->load().purging && owner->load().tasks == 0; });
  }
  void drop() { REQUIRE(worker->call(Rpc::del_bucket, R"(["b",{}])").error_text().empty()); }
};

}  // namespace

TEST_CASE("embedded: a deleted bucket's rows are removed in a work that is linear in them") {
  constexpr std::size_t kRows = 80'000;
  constexpr std::size_t kRowsOfBatch = 1'000;
  PurgeScene scene;
  create_bucket(*scene.worker);
  for (std::size_t i = 0; i < kRows; i += kRowsOfBatch) {
    std::string requests;
    for (std::size_t j = i; j < i + kRowsOfBatch; ++j)
      requests += std::string(requests.empty() ? "" : ",") + R"({"bucket":"b","key":"k)" +
                  std::to_string(100'000 + j) + R"(","value":{}})";
    REQUIRE(scene.worker->call(Rpc::batch, "[[" + requests + "],{}]").error_text().empty());
  }
  const std::size_t before = scene.comparator.comparisons;
  scene.drop();
  scene.await_purged();
  // Some 20 to find the place of each deletion in the memtable, and a few to pass by its row.
  CHECK((scene.comparator.comparisons - before) / kRows < 60);
  CHECK(scene.worker->outcome(scene.worker->get("k100000")) ==
        "BucketNotFoundError: b does not exist");
}

TEST_CASE("embedded: deleting many buckets is a work that is linear in them") {
  constexpr std::size_t kBuckets = 1'000;
  PurgeScene scene;
  std::size_t first = 0;
  std::size_t last = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    create_bucket(*scene.worker);
    REQUIRE(scene.worker->outcome(scene.worker->put("k")) == "");
    const std::size_t before = scene.comparator.comparisons;
    scene.drop();
    scene.await_purged();
    const std::size_t comparisons = scene.comparator.comparisons - before;
    if (i == kBuckets / 10) first = comparisons;
    last = comparisons;
  }
  CAPTURE(first);
  CHECK(last < 3 * first);
}
