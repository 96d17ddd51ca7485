// Resharding over a fleet: the model of resharding, whose routers are members of a fleet.
// MORAY_ROUTER_FLEET_RUNS and MORAY_ROUTER_SEED run more, or one again; MORAY_ROUTER_TRACE tells
// what happens in it.
#include <cstdlib>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/sim/world.hpp"
#include "tests/support/number_from.hpp"

using namespace sim;

namespace {

/// What is left out together: each alone, or with what makes up for it.
struct Without {
  std::vector<FleetRule> rules;
  bool of_rows_alone = false;  ///< a write that should have been held is not enough
};

const std::vector<Without>& noticed() {
  static const std::vector<Without> all{
      {{FleetRule::row_renews_lease}, false},
      {{FleetRule::answer_from_asking}, false},
      {{FleetRule::row_is_not_taken_back}, false},
      {{FleetRule::leases_awaited}, false},
      {{FleetRule::leases_from_commit}, false},
      {{FleetRule::flushed_before_state}, false},
      {{FleetRule::no_lease_over_restart}, false},
      {{FleetRule::record_on_disk}, false},
      {{FleetRule::coordinator_alone_closes}, true},
      {{FleetRule::blocked_before_commit}, true},
      {{FleetRule::target_decided_before_opening}, false},
      {{FleetRule::end_flushed_at_source}, false},
      {{FleetRule::missing_row_decides_nothing, FleetRule::forget_awaits_entries}, false},
      // The fence and the guard keep the rows: without these, writes fail that should wait.
      {{FleetRule::writes_wait_when_activated}, false},
      {{FleetRule::drained_before_agreeing}, false},
  };
  return all;
}

}  // namespace

TEST_CASE("model: over a fleet no interleaving loses, doubles, misplaces or revives a row") {
  const std::uint32_t first = number_from("MORAY_ROUTER_SEED", 1);
  const std::uint32_t runs = number_from("MORAY_ROUTER_FLEET_RUNS", 1000);
  World::Done all;
  FleetService::Done fleet;
  for (std::uint32_t seed = first; seed < first + runs; ++seed) {
    World world(seed, Rules(), FleetRules());
    if (std::getenv("MORAY_ROUTER_TRACE") != nullptr) world.trace();
    const auto violation = world.run();
    CAPTURE(seed);
    REQUIRE_MESSAGE(!violation, violation.value_or(""));
    const World::Done& done = world.done();
    all.moved += done.moved;
    all.moved_back += done.moved_back;
    all.aborted += done.aborted;
    all.waited += done.waited;
    all.late += done.late;
    all.forgotten += done.forgotten;
    fleet.by_row += world.fleet_done().by_row;
    fleet.closed += world.fleet_done().closed;
    fleet.published += world.fleet_done().published;
  }
  MESSAGE(runs << " runs: " << all.moved << " moved, " << all.moved_back << " moved back, "
               << all.aborted << " aborted, " << all.forgotten << " forgotten, " << all.waited
               << " waited for leases, " << all.late << " closed in a soak, " << fleet.by_row
               << " rings by a row, " << fleet.closed << " changes closed by members, "
               << fleet.published << " published");
  if (runs < 100) return;
  const auto least = [&](int each, int of_a_hundred) {
    return each > static_cast<int>(runs) * of_a_hundred / 100;
  };
  CHECK(least(all.moved, 70));
  CHECK(least(all.moved_back, 20));
  CHECK(least(all.aborted, 30));
  CHECK(least(all.forgotten, 5));
  CHECK(least(all.waited, 5));
  CHECK(least(all.late, 5));
  CHECK(least(fleet.by_row, 20));
  CHECK(least(fleet.closed, 5));
  CHECK(least(fleet.published, 20));
}

TEST_CASE("model: over a fleet, without any one of its rules it fails, and the model notices") {
  const std::uint32_t runs = number_from("MORAY_ROUTER_MUTATION_RUNS", 12'000);
  if (runs == 0) return;  // sanitized builds run the whole protocol only
  for (const Without& without : noticed()) {
    FleetRules rules;
    std::string names;
    for (const FleetRule rule : without.rules) {
      rules = rules.without(rule);
      names += std::string(kFleetRuleNames[static_cast<std::size_t>(rule)]) + " ";
    }
    if (without.of_rows_alone) rules = rules.of_rows_alone();
    std::string found;
    std::uint32_t seed = 0;
    // What the rules keep safe: a run that does not come to rest does not count.
    while (found.empty() && ++seed <= runs) {
      World world(seed, Rules(), rules);
      const auto violation = world.run();
      const bool stuck = world.wrong() == Wrong::never_ends || world.wrong() == Wrong::refused ||
                         world.wrong() == Wrong::never_ends_without_server;
      if (violation && !stuck) found = *violation;
    }
    CHECK_MESSAGE(!found.empty(), "not noticed in " << runs << " runs without " << names);
    MESSAGE(names << ": seed " << seed << ", " << found);
  }
}
