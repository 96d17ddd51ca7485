// Random interleavings of clients' requests and operators' changes of ring and gate, against a real
// router on real sockets. A model of every key on every shard finds a write that was lost,
// misplaced, or made behind a block. MORAY_ROUTER_SEED: one seed; MORAY_ROUTER_SEEDS: how many.
#include <doctest/doctest.h>

#include <cstdlib>

#include "tests/integration/ring_model.hpp"

TEST_CASE("no write is lost or misplaced, whatever is done to ring and gate meanwhile") {
  const char* one = std::getenv("MORAY_ROUTER_SEED");
  const char* many = std::getenv("MORAY_ROUTER_SEEDS");
  const unsigned first = one == nullptr ? 1 : static_cast<unsigned>(std::atoi(one));
  const unsigned count = one != nullptr    ? 1
                         : many == nullptr ? 6
                                           : static_cast<unsigned>(std::atoi(many));
  integration::Totals totals;
  for (unsigned seed = first; seed < first + count; ++seed) {
    INFO("reproduce with MORAY_ROUTER_SEED=" << seed);
    integration::run_seed(seed, totals);
  }
  MESSAGE("writes " << totals.writes << ", of them held " << totals.held << ", refused "
                    << totals.refused << ", lost " << totals.lost << "; reads " << totals.reads
                    << "; changes " << totals.changes << "; blocks " << totals.blocks);
  CHECK(totals.writes > 100 * count);
  CHECK(totals.changes > 5 * count);
  CHECK(totals.blocks > 2 * count);
}
