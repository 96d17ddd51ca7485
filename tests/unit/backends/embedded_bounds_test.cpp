// What an embedded shard lets pile up for those who do not take it.
#include <doctest/doctest.h>

#include "tests/unit/backends/embedded_bench.hpp"

using namespace test_support;
using backends::Rpc;
using backends::embedded::kOutboxBytesMax;

TEST_CASE("embedded: answers that a worker does not take are bounded, and hold up nobody else") {
  constexpr std::size_t kGets = 100;
  constexpr std::size_t kObjectBytes = 1u << 20;
  OwnerScene scene;
  Worker worker(scene.owner);
  Worker other(scene.owner);
  create_bucket(worker);
  REQUIRE(worker.outcome(worker.put("large", std::string(kObjectBytes, 'x'))) == "");
  REQUIRE(worker.outcome(worker.put("small")) == "");

  // The worker's loop does not run now, as one's that is busy.
  for (std::size_t i = 0; i < kGets; ++i) worker.get("large");
  // As many turns of another worker as it would take to answer them all.
  for (std::size_t i = 0; i < 2 * kGets; ++i) REQUIRE(other.outcome(other.get("small")) == "");
  const std::size_t answered = kGets - scene.owner->load().tasks;
  CHECK(answered >= 1);
  CHECK(answered <= kOutboxBytesMax / kObjectBytes + 1);
  // A find makes no rows either, and one that waits can be cancelled.
  CHECK(worker.cancel(worker.find("(v=*)")));
  CHECK(scene.owner->load().tasks == kGets - answered);

  worker.finish();  // all are answered when it takes them
  CHECK(scene.owner->load().tasks == 0);
}

TEST_CASE("embedded: an owner and its shards may go while an outbox is full") {
  OwnerScene scene;
  {
    Worker worker(scene.owner);
    create_bucket(worker);
    REQUIRE(worker.outcome(worker.put("large", std::string(8u << 20, 'x'))) == "");
    for (int i = 0; i < 100; ++i) worker.get("large");
    Worker other(scene.owner);
    for (int i = 0; i < 200; ++i) REQUIRE(other.outcome(other.get("none")) != "");
    CHECK(scene.owner->load().tasks > 90);
  }
  CHECK(scene.owner->load().tasks == 0);
  Worker worker(scene.owner);
  CHECK(worker.outcome(worker.get("large")) == "");
  for (int i = 0; i < 100; ++i) worker.get("large");
  scene.owner.reset();  // the worker has the last one
}
