#pragma once

#include <cstdint>

#include <time.h>

namespace bench {

/// Nanoseconds of a clock that only goes forward, since some time of the past.
inline std::uint64_t now() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(time.tv_nsec);
}

}  // namespace bench
