#include "router/serve/deadline_wheel.hpp"

#include <functional>
#include <memory>
#include <random>
#include <vector>

#include <doctest/doctest.h>

using namespace router;
using namespace std::chrono_literals;

namespace {

struct Fired final : DeadlineWheel::Entry {
  void on_deadline() override {
    ++times;
    if (then) then();
  }
  int times = 0;
  std::function<void()> then;
};

const DeadlineWheel::Clock::time_point kStart{};

}  // namespace

TEST_CASE("wheel: an entry fires once, not before its time and at most a tick after") {
  std::mt19937 random(9);
  for (int round = 0; round < 500; ++round) {
    DeadlineWheel wheel(kStart);
    Fired entry;
    const auto when = kStart + std::chrono::milliseconds(random() % 60'000);
    wheel.arm(entry, when);
    auto now = kStart;
    while (entry.times == 0) {
      wheel.advance(now);
      if (entry.times == 0) now += std::chrono::milliseconds(1 + random() % 40);
      REQUIRE(now < when + DeadlineWheel::kTick + 41ms);
    }
    CHECK(now >= when);
    wheel.advance(now + 1h);
    CHECK(entry.times == 1);
    CHECK(wheel.armed() == 0);
  }
}

TEST_CASE("wheel: a disarmed, re-armed or destroyed entry is not called at its old time") {
  DeadlineWheel wheel(kStart);
  Fired disarmed, moved;
  auto destroyed = std::make_unique<Fired>();
  wheel.arm(disarmed, kStart + 50ms);
  wheel.arm(moved, kStart + 50ms);
  wheel.arm(*destroyed, kStart + 50ms);
  wheel.disarm(disarmed);
  wheel.arm(moved, kStart + 10s);
  destroyed.reset();
  wheel.advance(kStart + 1s);
  CHECK(disarmed.times == 0);
  CHECK(moved.times == 0);
  CHECK(wheel.armed() == 1);
  wheel.advance(kStart + 20s);
  CHECK(moved.times == 1);
}

TEST_CASE("wheel: entries may change each other while they fire") {
  DeadlineWheel wheel(kStart);
  Fired first, again;
  auto doomed = std::make_unique<Fired>();
  wheel.arm(first, kStart + 10ms);
  wheel.arm(*doomed, kStart + 10ms);
  wheel.arm(again, kStart + 10ms);
  first.then = [&] { doomed.reset(); };
  again.then = [&] {
    if (again.times < 3) wheel.arm(again, kStart + 10ms);
  };
  wheel.advance(kStart + 100ms);
  CHECK(first.times == 1);
  CHECK(again.times == 1);
  for (int i = 0; i < 5; ++i) wheel.advance(kStart + 200ms + i * 1ms);
  CHECK(again.times == 3);
}

TEST_CASE("wheel: a long sleep skips nobody") {
  DeadlineWheel wheel(kStart);
  std::vector<std::unique_ptr<Fired>> entries;
  for (int i = 0; i < 3000; ++i) {
    entries.push_back(std::make_unique<Fired>());
    wheel.arm(*entries.back(), kStart + i * 25ms);
  }
  wheel.advance(kStart + 10ms);
  wheel.advance(kStart + 1h);
  for (const auto& entry : entries) CHECK(entry->times == 1);
}
