// Random requests, answers, faults, gates and clients, judged after each of them.
// MORAY_ROUTER_RUNS and MORAY_ROUTER_SEED run more, or one again.
#include <doctest/doctest.h>

#include "dispatcher_run.hpp"
#include "tests/support/number_from.hpp"

using namespace router;

TEST_CASE("dispatcher: every request is answered once, by its own shard, and nothing is left") {
  const std::uint32_t first = number_from("MORAY_ROUTER_SEED", 1);
  const std::uint32_t runs = number_from("MORAY_ROUTER_RUNS", 2000);
  for (std::uint32_t seed = first; seed < first + runs; ++seed) {
    const std::string wrong = DispatcherRun{Choices(seed)}.run();
    REQUIRE_MESSAGE(wrong.empty(), "seed ", seed, ": ", wrong);
  }
}
