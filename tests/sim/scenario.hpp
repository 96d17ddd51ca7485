#pragma once

#include "tests/sim/draws.hpp"

namespace sim {

/// What may happen in a run; all of it from its seed.
struct Scenario {
  explicit Scenario(Draws& draws);

  int plans = 1;  ///< that a person makes; rollbacks come on top
  bool failovers = false;
  bool lagging_standbys = false;
  bool dying_coordinators = false;
  bool second_coordinators = false;
  bool stopped_coordinators = false;  ///< they wake up again, and go on
  bool zombie_router = false;         ///< writes by the first ring, whatever it is told
  bool clock_jumps = false;
  bool deaf_routers = false;  ///< at times nothing reaches them but their clients
  bool restarting_routers = false;
  bool slow_clients = false;  ///< transactions and reads that last
  bool quiet = false;         ///< few writes: what was missed is not written again soon
  bool bystander = false;     ///< edits the ring, one router after another
  bool tables = false;        ///< a person changes tables
  bool left_overs = false;    ///< rows at shards that do not own them, with odd vnodes
  bool odd_vnodes = false;    ///< rows whose stored vnode is NULL
  bool failing_statements = false;
  bool failing_journals = false;
  enum class Away : std::uint8_t { never, for_a_while, to_the_end, for_good } away = Away::never;
  bool old_owner_away = false;  ///< it is a source in the soak that goes; else a target before
  bool rollbacks = false;
  bool aborts = false;
  /// The journal: failovers take its end away. By the seed itself, not drawn.
  bool kept_in_databases = false;
  bool all_there = false;  ///< the first shard owns all in the beginning, the last one nothing
};

inline Scenario::Scenario(Draws& draws) {
  plans = 1 + draws.any(3);
  failovers = draws.chance(25);
  lagging_standbys = failovers && draws.chance(40);
  dying_coordinators = draws.chance(50);
  second_coordinators = draws.chance(30);
  stopped_coordinators = draws.chance(30);
  zombie_router = draws.chance(25);
  clock_jumps = draws.chance(25);
  deaf_routers = draws.chance(40);
  restarting_routers = draws.chance(30);
  slow_clients = draws.chance(50);
  quiet = draws.chance(30);
  bystander = draws.chance(30);
  tables = draws.chance(20);
  left_overs = draws.chance(20);
  odd_vnodes = draws.chance(30);
  failing_statements = draws.chance(30);
  failing_journals = draws.chance(20);
  if (draws.chance(25)) away = static_cast<Away>(1 + draws.any(3));
  old_owner_away = draws.chance(50);
  rollbacks = draws.chance(60);
  aborts = draws.chance(40);
  all_there = draws.chance(50);
}

}  // namespace sim
