#include "router/serve/loop_lag.hpp"

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using router::LoopLag;

namespace {

/// Ticks as a worker has them, each so late, for which the thread itself was busy that part.
struct BusyLoop {
  LoopLag lag;
  LoopLag::Clock::time_point now{1000s};
  std::chrono::nanoseconds processor{};

  void run(int ticks, std::chrono::nanoseconds late, double own, std::size_t sessions) {
    for (int i = 0; i < ticks; ++i) {
      const auto due = now + 16ms;
      const auto served = due + late;
      processor += std::chrono::duration_cast<std::chrono::nanoseconds>(own * (served - now));
      now = served;
      lag.tick(due, served, processor, sessions);
    }
  }
};

constexpr std::size_t kAny = std::numeric_limits<std::size_t>::max();

}  // namespace

TEST_CASE("loop lag: a worker that keeps up limits nobody") {
  BusyLoop worker;
  worker.run(1000, 1ms, 0.9, 500);
  CHECK(worker.lag.most() == kAny);
  CHECK(worker.lag.usual() < 1ms);
}

TEST_CASE("loop lag: time that others had of the processor is not the worker's") {
  BusyLoop worker;
  worker.run(1000, 30ms, 0.05, 500);
  CHECK(worker.lag.most() == kAny);
}

TEST_CASE("loop lag: a busy worker lets each client have fewer, and always some") {
  for (const auto& [sessions, least] : {std::pair<std::size_t, std::size_t>{64, 16}, {5000, 2}}) {
    BusyLoop worker;
    worker.run(16, 20ms, 1, sessions);
    CHECK(worker.lag.most() < 512);
    worker.run(1000, 20ms, 1, sessions);
    CHECK(worker.lag.most() == least);
    CHECK(worker.lag.usual() > 18ms);
  }
  BusyLoop alone;  // one client has the worker to itself
  alone.run(1000, 20ms, 1, 1);
  CHECK(alone.lag.most() >= 512);
}

TEST_CASE("loop lag: what was limited comes back when the worker keeps up, and not before") {
  BusyLoop worker;
  worker.run(1000, 20ms, 1, 64);
  worker.run(1000, 2ms, 1, 64);  // between the two bounds
  const std::size_t most = worker.lag.most();
  worker.run(1000, 2ms, 1, 64);
  CHECK(worker.lag.most() == most);
  worker.run(1000, 0ms, 1, 64);
  CHECK(worker.lag.most() == kAny);
}
