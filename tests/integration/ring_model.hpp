#pragma once

#include <cstddef>

namespace integration {

/// What the runs did, so that a test that does nothing shows.
struct Totals {
  std::size_t writes = 0, held = 0, refused = 0, lost = 0, reads = 0, changes = 0, blocks = 0;
};

/// One run: a fresh router, a schedule made from the seed, every answer checked against the model,
/// and at the end every key on every shard. Fails the test that runs.
void run_seed(unsigned seed, Totals& totals);

}  // namespace integration
