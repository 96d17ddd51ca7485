// What an embedded shard lets pile up for those who do not take it.
#include <doctest/doctest.h>

#include "tests/unit/backends/embedded_bench.hpp"

using namespace test_support;
using backends::Rpc;
using backends::embedded::kOutboxBytesMax;
using backends::embedded::OwnerLimits;

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

TEST_CASE("embedded: a write over many rows lets reads in, and is whole all the same") {
  constexpr std::size_t kRows = 3'000;
  FaultyEnv env;
  OwnerScene scene({}, &env);
  Worker worker(scene.owner);
  create_bucket(worker);
  for (std::size_t i = 0; i < kRows; ++i) worker.put("k" + std::to_string(i));
  worker.finish();

  env.syncs.close();
  worker.put("z");
  env.syncs.await_waiting();
  const auto& erase = worker.send(Rpc::delete_many, R"json(["b","(v=k*)",{"noLimit":true}])json");
  for (std::size_t i = 0; i < 1'000; ++i) worker.put("z");  // more than a group
  const auto& get = worker.get("k1");
  env.syncs.let_one_pass();
  env.syncs.await_waiting();  // the rows have been looked at, and their deletion is not committed
  CHECK(worker.outcome(get) == "");
  CHECK_FALSE(erase.answer().done);
  env.syncs.open();
  CHECK(worker.outcome(erase) == "");
  CHECK(*erase.answer().values.at(0).get("count")->number() == kRows);
  CHECK(worker.outcome(worker.get("k1")).starts_with("ObjectNotFoundError: "));
  worker.finish();
}

TEST_CASE("embedded: what one write may change is bounded, and the rest of its group goes on") {
  OwnerLimits limits;
  limits.change_bytes = 1u << 20;
  OwnerScene scene(limits);
  Worker worker(scene.owner);
  create_bucket(worker);
  const std::string text(2'000, 'x');
  for (std::size_t i = 0; i < 1'000; ++i) worker.put("k" + std::to_string(i), text);
  worker.finish();
  const std::string refused = "Error: this changes more than 1 MiB at once: give a limit";
  CHECK(worker.outcome(worker.send(Rpc::update_objects,
                                   R"json(["b",{"v":"new"},"(v=k*)",{"noLimit":true}])json")) ==
        refused);
  const auto& find = worker.find("(v=new)");
  CHECK(worker.outcome(find) == "");
  CHECK(find.answer().values.empty());
  // Deleted rows are not kept: their texts count for nothing.
  const auto& erase = worker.send(Rpc::delete_many, R"json(["b","(v=k*)",{}])json");
  CHECK(worker.outcome(erase) == "");
}
