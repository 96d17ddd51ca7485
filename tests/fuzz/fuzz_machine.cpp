#include <cstdint>

#include "tests/fuzz/require.hpp"
#include "tests/unit/router/machine_run.hpp"

// The control's decisions, whatever happens in whatever order.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  router::MachineRun run{Choices(std::span(data, size))};
  run.run();
  require(run.wrong().empty(), run.wrong());
  return 0;
}
