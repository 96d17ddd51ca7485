// Finds of an embedded shard beside each other: slow readers, and those that sort.
#include <doctest/doctest.h>

#include <set>

#include "tests/unit/backends/embedded_bench.hpp"

using namespace test_support;
using backends::Rpc;
using backends::embedded::OwnerLimits;

namespace {

constexpr std::size_t kRows = 400;
constexpr std::size_t kRowBytes = 2'000;  // all of them are three times what may lie unread

void fill(Worker& worker) {
  create_bucket(worker);
  const std::string text(kRowBytes, 'x');
  for (std::size_t i = 0; i < kRows; ++i) worker.put("k" + std::to_string(i), text);
  worker.finish();
}

std::size_t keys_of(const Answer& answer) {
  std::set<std::string> keys;
  for (const auto& row : answer.values) keys.insert(*row.get("key")->string());
  CHECK(keys.size() == answer.values.size());
  return keys.size();
}

/// A find whose reader takes nothing, and which the owner has given up on for now.
Worker::Sent& park(OwnerScene& scene, Worker& worker,
                   const std::string& options = R"({"noLimit":true})") {
  const std::size_t parked = scene.owner->load().finds_parked;
  Worker::Sent& find = worker.find("(v=*)", options);
  worker.shard.pause(find.ticket());
  run_until(worker.loop, [&] { return scene.owner->load().finds_parked == parked + 1; });
  return find;
}

constexpr const char* kTooMany =
    "failure: too many finds of the embedded shard wait for their readers, and this one's has "
    "taken nothing for the longest time";

/// Takes a row, and then no more until it is let go on.
class SippingSink final : public backends::ReplySink {
 public:
  explicit SippingSink(Worker& worker) : worker_(worker) {}
  void on_data(const backends::Reply& reply) override {
    whole.on_data(reply);
    worker_.shard.pause(ticket);
  }
  void on_end(const backends::Reply& reply) override { whole.on_end(reply); }
  void on_error(const backends::Reply& reply) override { whole.on_error(reply); }
  void on_failure(const backends::Failure& failure) override { whole.on_failure(failure); }

  backends::Ticket ticket;
  CollectingSink whole;

 private:
  Worker& worker_;
};

}  // namespace

TEST_CASE("embedded: finds whose readers take nothing are not in the way of others") {
  OwnerScene scene;
  Worker worker(scene.owner);
  fill(worker);
  constexpr std::size_t kSlow = 100;
  std::vector<Worker::Sent*> slow;
  for (std::size_t i = 0; i < kSlow; ++i)
    slow.push_back(
        &park(scene, worker,
              i % 2 == 0 ? R"({"noLimit":true})" : R"({"noLimit":true,"sort":{"attribute":"v"}})"));
  CHECK(scene.owner->load().finds_parked == kSlow);
  CHECK(scene.owner->load().finds_running == 0);

  const auto& find = worker.find("(v=*)");
  CHECK(worker.outcome(find) == "");
  CHECK(keys_of(find.answer()) == kRows);
  // One that leaves is forgotten at once.
  CHECK(worker.cancel(*slow.back()));
  run_until(worker.loop, [&] { return scene.owner->load().finds_parked == kSlow - 1; });
  slow.pop_back();
  // The others go on where they were, each at its own pace.
  for (auto* sent : slow) worker.shard.resume(sent->ticket());
  for (auto* sent : slow) {
    CHECK(worker.outcome(*sent) == "");
    CHECK(keys_of(sent->answer()) == kRows);
  }
  CHECK(scene.owner->load().tasks == 0);
  CHECK(scene.owner->load().bytes == 0);
}

TEST_CASE("embedded: a worker that takes nothing leaves others' finds to go on") {
  OwnerScene scene;
  Worker busy(scene.owner);
  fill(busy);
  REQUIRE(busy.outcome(busy.put("large", std::string(1u << 20, 'x'))) == "");
  for (int i = 0; i < 70; ++i) busy.find("(v=*)");  // its loop does not run now
  Worker other(scene.owner);
  const auto& find = other.find("(v=*)");
  CHECK(other.outcome(find) == "");
  CHECK(keys_of(find.answer()) == kRows + 1);
}

TEST_CASE("embedded: of too many slow readers the one that took nothing for longest is sent away") {
  OwnerLimits limits;
  std::size_t fits = 0;
  SUBCASE("by number") { limits.finds_parked = fits = 4; }
  SUBCASE("by the bytes that lie unread") {
    limits.parked_bytes = 700'000;  // each has 256 KiB, and up to a slice more
    fits = 2;
  }
  OwnerScene scene(limits);
  Worker worker(scene.owner);
  fill(worker);
  // The first one takes a row now and then.
  SippingSink sipping(worker);
  const std::string text =
      ShardClient::payload(Rpc::find_objects, R"json(["b","(v=*)",{"noLimit":true}])json");
  const std::string_view piece = text;
  backends::Request request;
  request.rpc = Rpc::find_objects;
  request.pieces = {&piece, 1};
  sipping.ticket = *worker.shard.submit(request, sipping).ticket;
  run_until(worker.loop, [&] { return scene.owner->load().finds_parked == 1; });
  std::vector<Worker::Sent*> slow;
  while (slow.size() + 1 < fits) slow.push_back(&park(scene, worker));
  const std::size_t taken = sipping.whole.answer.values.size();
  worker.shard.resume(sipping.ticket);
  run_until(worker.loop, [&] { return sipping.whole.answer.values.size() > taken; });
  for (int i = 0; i < 2; ++i) {
    slow.push_back(&worker.find("(v=*)"));
    worker.shard.pause(slow.back()->ticket());
    run_until(worker.loop, [&] { return scene.owner->load().tasks == fits; });
  }
  CHECK(scene.owner->load().finds_parked == fits);

  for (auto* sent : slow) worker.shard.resume(sent->ticket());
  for (std::size_t i = 0; i < slow.size(); ++i) {
    CAPTURE(i);
    CHECK(worker.outcome(*slow[i]) == (i < 2 ? kTooMany : ""));
    CHECK(keys_of(slow[i]->answer()) == (i < 2 ? 0 : kRows));  // what lay unread is gone
  }
  while (!sipping.whole.answer.done) {
    worker.shard.resume(sipping.ticket);
    worker.loop.restart();
    worker.loop.run_one_for(std::chrono::milliseconds(20));
  }
  CHECK(keys_of(sipping.whole.answer) == kRows);
}

TEST_CASE("embedded: sorting finds share one bound, and the largest ends beyond it") {
  OwnerLimits limits;
  limits.sort_bytes = 1u << 20;
  OwnerScene scene(limits);
  Worker worker(scene.owner);
  create_bucket(worker);
  const std::string v(kRowBytes, 'v');
  for (std::size_t i = 0; i < kRows; ++i)
    worker.send(Rpc::put_object, "[\"b\",\"k" + std::to_string(i) + "\",{\"v\":\"" + v +
                                     std::to_string(9000 - i) + "\"},{}]");
  worker.finish();
  const std::string sorted = R"({"noLimit":true,"sort":{"attribute":"v"}})";
  auto& first = park(scene, worker, sorted);  // has four fifths of it
  const auto& small = worker.find("(v=*)", R"({"limit":10,"sort":{"attribute":"v"}})");
  CHECK(worker.outcome(small) == "");
  CHECK(keys_of(small.answer()) == 10);
  const auto& second = worker.find("(v=*)", sorted);
  CHECK(worker.outcome(second) == "");
  REQUIRE(keys_of(second.answer()) == kRows);
  CHECK(*second.answer().values.front().get("key")->string() == "k399");
  worker.shard.resume(first.ticket());
  CHECK(worker.outcome(first) ==
        "failure: the finds of the embedded shard need more than 1 MiB of memory to sort, and "
        "this one the most of it: give a limit");

  for (std::size_t i = 0; i < kRows; ++i)
    worker.send(Rpc::put_object, "[\"b\",\"l" + std::to_string(i) + "\",{\"v\":\"" + v + "\"},{}]");
  worker.finish();
  const auto& alone = worker.find("(v=*)", sorted);
  CHECK(worker.outcome(alone).ends_with(" objects needs more than 1 MiB of memory: give a limit"));
  CHECK(worker.outcome(worker.find("(v=*)")) == "");
}
