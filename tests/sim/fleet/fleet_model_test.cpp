// The protocol by which a fleet agrees (docs/fleet.md): the product's members and coordinators,
// against a simulated service, clients, operators, clocks and crashes. MORAY_ROUTER_RUNS and
// MORAY_ROUTER_SEED run more, or one again; MORAY_ROUTER_TRACE tells what happens in it.
#include <algorithm>
#include <cstdlib>
#include <string>

#include <doctest/doctest.h>

#include "tests/sim/fleet/world.hpp"
#include "tests/support/number_from.hpp"

using namespace fleet_sim;

TEST_CASE(
    "fleet model: no read goes back, no acknowledged write is lost, a block blocks, all agree") {
  const Rules rules;
  const std::uint32_t first = number_from("MORAY_ROUTER_SEED", 1);
  const std::uint32_t runs = number_from("MORAY_ROUTER_RUNS", 1000);
  World::Done all;
  for (std::uint32_t seed = first; seed < first + runs; ++seed) {
    World world(seed, rules);
    world.trace(std::getenv("MORAY_ROUTER_TRACE") != nullptr);
    const auto violation = world.run();
    CAPTURE(seed);
    REQUIRE_MESSAGE(!violation, violation.value_or(""));
    const World::Done& done = world.done();
    all.committed += done.committed;
    all.abandoned += done.abandoned;
    all.closed += done.closed;
    all.joins += done.joins;
    all.blocks += done.blocks;
    all.read_only += done.read_only;
    all.removed += done.removed;
    all.reads += done.reads;
    all.writes += done.writes;
  }
  MESSAGE(runs << " runs: " << all.committed << " committed, " << all.abandoned << " abandoned, "
               << all.closed << " closed by members, " << all.joins << " joins, " << all.removed
               << " removed, " << all.blocks << " blocks, " << all.read_only << " made read-only, "
               << all.reads << " reads, " << all.writes << " writes");
  if (runs < 100) return;
  const auto each = [&](int count) { return count / static_cast<int>(runs); };
  CHECK(each(all.committed) >= 1);
  CHECK(each(all.abandoned) >= 1);
  CHECK(each(all.joins) >= kMembers);
  CHECK(all.closed > 0);
  CHECK(all.blocks > 0);
  CHECK(all.read_only > 0);
}

TEST_CASE("fleet model: without any one of its rules the protocol fails, and the model notices") {
  const std::uint32_t runs = number_from("MORAY_ROUTER_MUTATION_RUNS", 12'000);
  if (runs == 0) return;  // sanitized builds run the whole protocol only
  for (std::size_t i = 0; i < kRules; ++i) {
    const Rules rules = Rules::all_but(static_cast<Rule>(i));
    std::string found;
    std::uint32_t seed = 0;
    // What the rule keeps safe: a run that does not come to rest does not count.
    while (found.empty() && ++seed <= runs) {
      World world(seed, rules);
      if (auto violation = world.run(); violation && !world.only_stuck()) found = *violation;
    }
    CHECK_MESSAGE(!found.empty(), "not noticed in " << runs << " runs without " << kRuleNames[i]);
    MESSAGE(kRuleNames[i] << ": seed " << seed << ", " << found);
  }
}
