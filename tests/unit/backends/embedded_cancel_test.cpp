// Requests to an embedded shard that nobody waits for any more.
#include <doctest/doctest.h>

#include "backends/embedded/owner.hpp"
#include "tests/support/test_data.hpp"
#include "tests/unit/backends/embedded_bench.hpp"
#include "tests/unit/backends/faulty_env.hpp"

using namespace test_support;
using backends::FailureKind;
using backends::Rpc;
using backends::embedded::Owner;

namespace {

/// An owner that stands still while the test wants it to, as one does whose disk is slow.
struct HeldUp {
  TemporaryDirectory directory;
  FaultyEnv env;
  std::shared_ptr<Owner> owner = std::make_shared<Owner>(
      backends::embedded::StoreOptions{directory.path() / "shard", &env}, true);
  Worker worker{owner};

  HeldUp() { create_bucket(worker); }
  ~HeldUp() { env.syncs.open(); }

  /// The put that the owner is now in the middle of.
  Worker::Sent& hold_up() {
    env.syncs.close();
    Worker::Sent& put = worker.put("held");
    env.syncs.await_waiting();
    return put;
  }
};

}  // namespace

TEST_CASE("embedded: what was cancelled before it was begun is never done, a write neither") {
  HeldUp scene;
  Worker& worker = scene.worker;
  const auto& held = scene.hold_up();
  const auto& put = worker.put("cancelled");
  const auto& get = worker.get("held");
  const auto& find = worker.find("(v=*)");
  const auto& stays = worker.put("stays");
  CHECK_FALSE(worker.shard.cancel(held.ticket()));  // it is under way: its answer comes
  CHECK(worker.shard.cancel(put.ticket()));
  CHECK(worker.shard.cancel(get.ticket()));
  CHECK(worker.shard.cancel(find.ticket()));
  CHECK_FALSE(worker.shard.cancel(put.ticket()));  // nobody knows it any more
  CHECK(scene.owner->load().tasks == 1);
  CHECK(worker.shard.status().in_flight == 2);

  scene.env.syncs.open();
  CHECK(worker.outcome(held) == "");
  CHECK(worker.outcome(stays) == "");
  CHECK(worker.outcome(worker.get("cancelled")) ==
        "ObjectNotFoundError: b::cancelled does not exist");
  for (const auto* sent : {&put, &get, &find}) CHECK(sent->answer().frames == 0);
  CHECK(worker.shard.status().in_flight == 0);
  CHECK(scene.owner->load().tasks == 0);
  CHECK(scene.owner->load().bytes == 0);
}

TEST_CASE("embedded: cancelled requests make room for others at once") {
  HeldUp scene;
  Worker& worker = scene.worker;
  scene.hold_up();
  const auto fill = [&] {
    std::vector<backends::Ticket> tickets;
    while (true) {
      const auto& sent = tickets.size() % 2 == 0 ? worker.put("k") : worker.find("(v=k)");
      if (!sent.submitted.ticket) {
        CHECK(sent.submitted.failure.kind == FailureKind::overloaded);
        return tickets;
      }
      tickets.push_back(sent.ticket());
    }
  };
  for (int round = 0; round < 2; ++round) {
    const std::vector<backends::Ticket> tickets = fill();
    CHECK(tickets.size() > 5'000);
    CHECK(tickets.size() <= 20'000);
    std::size_t cancelled = 0;
    for (const backends::Ticket& ticket : tickets) cancelled += worker.shard.cancel(ticket) ? 1 : 0;
    CHECK(cancelled == tickets.size());
    CHECK(scene.owner->load().tasks == 0);
    CHECK(scene.owner->load().bytes == 0);
  }
}

TEST_CASE("embedded: with a worker's shard goes what it has queued, and nothing of others") {
  HeldUp scene;
  const auto& held = scene.hold_up();
  const auto& own = scene.worker.put("own");
  auto other = std::make_unique<Worker>(scene.owner);
  for (int i = 0; i < 10; ++i) other->put("other");
  other->find("(v=*)");
  CHECK(scene.owner->load().tasks == 12);
  other.reset();
  CHECK(scene.owner->load().tasks == 1);
  scene.env.syncs.open();
  CHECK(scene.worker.outcome(held) == "");
  CHECK(scene.worker.outcome(own) == "");
  CHECK(scene.worker.outcome(scene.worker.get("other")) ==
        "ObjectNotFoundError: b::other does not exist");
}

TEST_CASE("embedded: workers take turns, and what a worker submitted stays in order") {
  HeldUp scene;
  Worker& greedy = scene.worker;
  Worker polite(scene.owner);
  scene.hold_up();
  constexpr int kPuts = 2'000;  // several groups
  for (int i = 0; i < kPuts; ++i) greedy.put("k", std::to_string(i));
  const auto& last = greedy.put("k", "last");
  const auto& find = greedy.find("(_key=k)");  // sees what was submitted before it
  const auto& one = polite.put("polite");
  scene.env.syncs.let_one_pass();
  scene.env.syncs.await_waiting();  // the next group is being committed, and `one` is of it
  scene.env.syncs.let_one_pass();
  scene.env.syncs.await_waiting();
  CHECK(polite.outcome(one) == "");
  CHECK(scene.owner->load().tasks > kPuts / 4);
  scene.env.syncs.open();
  CHECK(greedy.outcome(find) == "");
  CHECK(greedy.outcome(last) == "");
  REQUIRE(find.answer().values.size() == 1);
  CHECK(*find.answer().values[0].get("value")->get("text")->string() == "last");
}
