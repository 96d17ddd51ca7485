#include "turns/shard_window.hpp"

#include <doctest/doctest.h>

#include "tests/unit/turns/simulated_shard.hpp"

using namespace std::chrono_literals;
using simulated::Kind;
using simulated::Load;
using simulated::ShardModel;
using simulated::Simulation;
using simulated::Tally;

namespace {

/// So many at a time, each for about so long.
ShardModel shard(std::size_t servers, std::chrono::nanoseconds each, double varies = 1) {
  return {servers, [each, varies](Kind, std::minstd_rand& random) {
            const double factor = 1 - varies + varies * std::exponential_distribution<>()(random);
            return std::chrono::nanoseconds(
                static_cast<std::int64_t>(static_cast<double>(each.count()) * factor));
          }};
}

double capacity(const ShardModel& model, std::chrono::nanoseconds each) {
  return static_cast<double>(model.servers) / std::chrono::duration<double>(each).count();
}

double per_second(const Tally& tally, std::chrono::milliseconds time) {
  return static_cast<double>(tally.answered) / std::chrono::duration<double>(time).count();
}

}  // namespace

TEST_CASE("three times what a shard can do: it does what it can, and few wait there") {
  struct {
    std::size_t servers;
    std::chrono::nanoseconds each;
  } const shards[] = {{1, 50us}, {1, 1ms}, {8, 1ms}, {8, 5ms}, {64, 2ms}, {16, 20ms}, {200, 100ms}};
  for (const auto& each : shards) {
    for (const double varies : {0.0, 1.0}) {
      CAPTURE(each.servers);
      CAPTURE(each.each.count());
      CAPTURE(varies);
      const ShardModel model = shard(each.servers, each.each, varies);
      const double can = capacity(model, each.each);
      Simulation all(model, {.rate = 3 * can, .refused_after = 50ms});
      // Until it is limited: looks take the longer the longer requests take.
      all.run(std::chrono::milliseconds(3s) +
              std::chrono::duration_cast<std::chrono::milliseconds>(60 * each.each));
      const Tally seen = all.run(11s);
      CHECK(all.window().limits());
      CHECK(per_second(seen, 11s) > 0.9 * can);
      const double alone = std::chrono::duration<double, std::milli>(each.each).count();
      const double few = std::max(alone, alone * 4 / static_cast<double>(each.servers));
      CHECK(seen.shard_ms() < 2.5 * few + 2);
    }
  }
}

TEST_CASE("a shard that keeps up is never limited, however slow it is by itself") {
  for (const auto each : {1ms, 15ms, 60ms, 400ms}) {
    CAPTURE(each.count());
    const ShardModel model = shard(100'000, each);
    const Load load{.outstanding = 800};
    Load unlimited = load;
    unlimited.unlimited = true;
    const auto time = std::min<std::chrono::milliseconds>(60s, 200 * each);
    const Tally free = Simulation(model, unlimited).run(time);
    const Tally seen = Simulation(model, load).run(time);
    CHECK(static_cast<double>(seen.answered) > 0.9 * static_cast<double>(free.answered));
  }
}

TEST_CASE("under what it can do, nothing waits") {
  const ShardModel model = shard(8, 1ms);
  Simulation all(model, {.rate = 0.7 * capacity(model, 1ms)});
  const Tally seen = all.run(60s);
  CHECK(!all.window().limits());
  CHECK(seen.whole_ms() - seen.shard_ms() < 0.001);
}

TEST_CASE("a shard that becomes slower, and quick again") {
  const ShardModel quick = shard(8, 1ms), slow = shard(8, 4ms);
  Simulation all(quick, {.rate = 12'000, .refused_after = 50ms});
  all.run(5s);
  CHECK(per_second(all.run(5s), 5s) > 0.95 * 8'000);
  all.model = slow;
  all.run(3s);
  const Tally seen = all.run(10s);
  CHECK(per_second(seen, 10s) > 0.95 * 2'000);
  CHECK(seen.shard_ms() < 20);
  all.model = quick;
  all.run(3s);
  CHECK(per_second(all.run(10s), 10s) > 0.95 * 8'000);
  all.model = shard(32, 1ms);
  all.run(3s);
  CHECK(per_second(all.run(10s), 10s) > 0.98 * 12'000);
  all.run(3s);
  CHECK(!all.window().limits());
}

TEST_CASE("kinds of requests that take their own time are told apart") {
  const ShardModel model{100'000, [](Kind kind, std::minstd_rand&) {
                           return std::chrono::nanoseconds(kind == Kind::write ? 40ms : 300us);
                         }};
  Simulation all(model, {.rate = 5'000, .writes = 0.02});
  all.run(5s);
  all.load.writes = 0.5;  // as many under way as would be noticed
  all.run(2s);
  const Tally seen = all.run(20s);
  CHECK(per_second(seen, 20s) > 0.97 * 5'000);
}

TEST_CASE("several senders share a shard, and none takes another's queue for its pace") {
  for (const std::size_t senders : {6u, 20u}) {
    CAPTURE(senders);
    const ShardModel model = shard(8, 1ms);
    Simulation all(model, {.rate = 24'000.0 / static_cast<double>(senders), .refused_after = 50ms},
                   senders);
    all.run(20s);
    const Tally early = all.run(20s);
    all.run(60s);
    const Tally late = all.run(20s);
    CHECK(per_second(late, 20s) > 0.95 * 8'000);
    CHECK(late.shard_ms() < 1.2 * static_cast<double>(senders));  // each has a few there
    CHECK(late.shard_ms() < 1.3 * early.shard_ms() + 1);
  }
}

TEST_CASE("senders whose clocks are apart limit less, to a bound, and the shard does what it can") {
  const ShardModel model = shard(8, 1ms);
  Simulation all(model, {.rate = 4'000, .refused_after = 50ms, .apart = 1700ms}, 6);
  all.run(120s);
  const Tally seen = all.run(10s);
  CHECK(per_second(seen, 10s) > 0.95 * 8'000);
  CHECK(seen.most_under_way <= 6 * 1024);  // those that are stuck, too
  all.load.apart = 0ms;                    // they are set
  all.run(30s);
  CHECK(all.run(10s).shard_ms() < 8);
}

TEST_CASE("requests that wait for a lock keep nobody out for long") {
  const ShardModel model = shard(8, 1ms);
  Simulation all(model, {.rate = 24'000, .refused_after = 50ms});
  all.run(2s);
  REQUIRE(all.window().limits());
  all.lock(0, 500);
  all.run(1s);
  CHECK(per_second(all.run(3s), 3s) > 0.95 * 8'000);  // before the next look that all have
}

TEST_CASE("a burst of more than may be under way is sent on as answers come") {
  const ShardModel model = shard(8, 1ms);
  Simulation all(model, {.outstanding = 16'384});
  const Tally first = all.run(1s);
  CHECK(first.most_under_way <= 1024);
  all.run(5s);
  const Tally seen = all.run(10s);
  CHECK(per_second(seen, 10s) > 0.95 * 8'000);
  CHECK(seen.shard_ms() < 6);
}

TEST_CASE("a slow shard that gets many at once is limited soon, and stays so") {
  for (const auto each : {5ms, 10ms, 40ms}) {
    for (const std::size_t outstanding : {100u, 320u, 2000u}) {
      CAPTURE(each.count());
      CAPTURE(outstanding);
      const ShardModel model = shard(2, each);
      Simulation all(model, {.outstanding = outstanding});
      const auto drained = outstanding * each / 2;
      all.run(5s + std::chrono::duration_cast<std::chrono::milliseconds>(2 * drained));
      CHECK(all.window().limits());
      CHECK(all.window().most() < 200);
      const Tally seen = all.run(20s);
      CHECK(per_second(seen, 20s) > 0.9 * capacity(model, each));
      CHECK(all.window().limits());
    }
  }
}
