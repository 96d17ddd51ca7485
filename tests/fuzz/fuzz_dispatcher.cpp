#include <cstdint>

#include "tests/fuzz/require.hpp"
#include "tests/unit/router/dispatcher_run.hpp"

// Requests, answers, faults, gates and clients, in whatever order.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string wrong = router::DispatcherRun{Choices(std::span(data, size))}.run();
  require(wrong.empty(), wrong);
  return 0;
}
