// The protocol that moves vnodes, against simulated databases, routers, clocks, crashes and a
// second coordinator. MORAY_ROUTER_RUNS and MORAY_ROUTER_SEED run more, or one again.
#include <cstdlib>
#include <string>

#include <doctest/doctest.h>

#include "tests/sim/world.hpp"

using namespace sim;

namespace {

std::uint32_t number_from(const char* name, std::uint32_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : static_cast<std::uint32_t>(std::strtoul(text, nullptr, 10));
}

}  // namespace

TEST_CASE("model: no interleaving loses, doubles or revives a row") {
  const Rules rules;
  const std::uint32_t first = number_from("MORAY_ROUTER_SEED", 1);
  const std::uint32_t runs = number_from("MORAY_ROUTER_RUNS", 3000);
  std::uint32_t there = 0, back = 0;
  for (std::uint32_t seed = first; seed < first + runs; ++seed) {
    World world(seed, rules);
    const auto violation = world.run();
    CAPTURE(seed);
    REQUIRE_MESSAGE(!violation, violation.value_or(""));
    there += world.plans_done() > 0 ? 1u : 0u;
    back += world.plans_done() > 1 ? 1u : 0u;
  }
  MESSAGE(runs << " runs, " << there << " moved, " << back << " of them moved back");
  if (runs >= 100) {
    CHECK(there > runs / 2);
    CHECK(back > runs / 4);
  }
}

TEST_CASE("model: without any one of its rules the protocol fails, and the model notices") {
  const std::uint32_t runs = number_from("MORAY_ROUTER_MUTATION_RUNS", 40'000);
  if (runs == 0) return;  // sanitized builds run the whole protocol only
  for (std::size_t i = 0; i < kRules; ++i) {
    const auto rule = static_cast<Rule>(i);
    const Rules rules = Rules::all_but(rule);
    std::string found;
    std::uint32_t seed = 0;
    while (found.empty() && ++seed <= runs) found = World(seed, rules).run().value_or("");
    CHECK_MESSAGE(!found.empty(), "not noticed in " << runs << " runs without " << kRuleNames[i]);
    MESSAGE(kRuleNames[i] << ": seed " << seed << ", " << found);
  }
}
