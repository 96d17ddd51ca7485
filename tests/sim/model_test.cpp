// The protocol that moves vnodes, against simulated databases, routers, clients, people, clocks,
// crashes and coordinators. MORAY_ROUTER_RUNS and MORAY_ROUTER_SEED run more, or one again.
#include <array>
#include <string>

#include <doctest/doctest.h>

#include "tests/sim/known_faults.hpp"
#include "tests/sim/world.hpp"
#include "tests/support/number_from.hpp"

using namespace sim;

namespace {

// What each of them prevents takes a meeting of faults that the seeds of a test are too few for, or
// another rule prevents it, too (docs/resharding.md).
constexpr std::array kNotShown{Rule::answer_names_plan,        Rule::journal_names_writer,
                               Rule::pending_names_row_digest, Rule::holder_names_coordinator,
                               Rule::after_commit_by_vnode,    Rule::owner_checked_before_delete};

}  // namespace

TEST_CASE("model: no interleaving loses, doubles, misplaces or revives a row, or hides one") {
  const Rules rules;
  const std::uint32_t first = number_from("MORAY_ROUTER_SEED", 1);
  const std::uint32_t runs = number_from("MORAY_ROUTER_RUNS", 3000);
  World::Done all;
  std::uint64_t ticks = 0;
  for (std::uint32_t seed = first; seed < first + runs; ++seed) {
    World world(seed, rules);
    const auto violation = world.run();
    CAPTURE(seed);
    REQUIRE_MESSAGE(!violation, violation.value_or(""));
    const World::Done& done = world.done();
    all.moved += done.moved;
    all.moved_back += done.moved_back;
    all.chains += done.chains;
    all.aborted += done.aborted;
    all.left += done.left;
    all.finds += done.finds;
    ticks += static_cast<std::uint64_t>(world.ticks());
  }
  MESSAGE(runs << " runs of " << ticks / std::max(runs, 1u) << " ticks: " << all.moved << " moved, "
               << all.moved_back << " moved back, " << all.chains << " moved on, " << all.aborted
               << " aborted, " << all.left << " ended without a server, " << all.finds << " finds");
  if (runs < 100) return;
  const auto least = [&](int each, int of_a_hundred) {
    return each > static_cast<int>(runs) * of_a_hundred / 100;
  };
  CHECK(least(all.moved, 70));
  CHECK(least(all.moved_back, 20));
  CHECK(least(all.chains, 5));
  CHECK(least(all.aborted, 30));
  CHECK(least(all.left, 1));
}

TEST_CASE("model: without any one of its rules the protocol fails, and the model notices") {
  const std::uint32_t runs = number_from("MORAY_ROUTER_MUTATION_RUNS", 12'000);
  if (runs == 0) return;  // sanitized builds run the whole protocol only
  for (std::size_t i = 0; i < kRules; ++i) {
    const auto rule = static_cast<Rule>(i);
    if (std::find(kNotShown.begin(), kNotShown.end(), rule) != kNotShown.end()) continue;
    const Rules rules = Rules::all_but(rule);
    std::string found;
    std::uint32_t seed = 0;
    while (found.empty() && ++seed <= runs) found = World(seed, rules).run().value_or("");
    CHECK_MESSAGE(!found.empty(), "not noticed in " << runs << " runs without " << kRuleNames[i]);
    MESSAGE(kRuleNames[i] << ": seed " << seed << ", " << found);
  }
}

// Seeds are drawn, not stories: a fault counts where the seed's run does not show it any more with
// the rules that mend it.
TEST_CASE("model: the protocol for one plan at a time fails in each known way") {
  const std::uint32_t runs = number_from("MORAY_ROUTER_MUTATION_RUNS", 12'000);
  if (runs == 0) return;
  const Rules before = Rules::as_before();
  const auto& faults = known_faults();
  std::vector<std::uint32_t> found(faults.size(), 0);
  std::size_t left = faults.size();
  for (std::uint32_t seed = 1; seed <= runs && left > 0; ++seed) {
    World world(seed, before);
    const auto violation = world.run();
    for (std::size_t i = 0; violation && i < faults.size(); ++i) {
      const KnownFault& fault = faults[i];
      const auto shows = [&](Wrong wrong) {
        return std::find(fault.shows.begin(), fault.shows.end(), wrong) != fault.shows.end();
      };
      if (found[i] != 0 || !shows(world.wrong()) || !fault.where(world)) continue;
      Rules mended = before;
      for (const Rule rule : fault.mended_by) mended = mended.with(rule);
      World again(seed, mended);
      static_cast<void>(again.run());
      if (shows(again.wrong())) continue;
      found[i] = seed;
      --left;
      MESSAGE(fault.what << ": seed " << seed << ", " << *violation);
    }
  }
  for (std::size_t i = 0; i < faults.size(); ++i)
    CHECK_MESSAGE(found[i] != 0, "not noticed in " << runs << " runs: " << faults[i].what);
}
