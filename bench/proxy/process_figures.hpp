#pragma once

#include <cstdint>
#include <vector>

#include <sys/types.h>

namespace bench {

/// Nanoseconds of processor time that the threads alive in these processes have used, from
/// /proc/PID/task/*/schedstat. Throws std::runtime_error where a process is gone.
std::uint64_t processor_nanoseconds(const std::vector<pid_t>& processes);
/// What they have in memory (VmRSS), in KiB.
std::uint64_t resident_kib(const std::vector<pid_t>& processes);

}  // namespace bench
