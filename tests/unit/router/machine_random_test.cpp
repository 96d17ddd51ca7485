// The control's decisions under random events, judged by what must hold after each of them.
// MORAY_ROUTER_RUNS and MORAY_ROUTER_SEED run more, or one again.
#include <doctest/doctest.h>

#include "machine_run.hpp"
#include "tests/support/number_from.hpp"

using namespace router;

TEST_CASE("machine: random events") {
  const std::uint32_t first = number_from("MORAY_ROUTER_SEED", 1);
  const std::uint32_t runs = number_from("MORAY_ROUTER_RUNS", 20'000);
  for (std::uint32_t seed = first; seed < first + runs; ++seed) {
    MachineRun run{Choices(seed)};
    run.run();
    REQUIRE_MESSAGE(run.wrong().empty(), "seed ", seed, ": ", run.wrong());
  }
}
