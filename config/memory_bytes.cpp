// How much memory the process may count on.
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "config/config.hpp"

namespace config {
namespace {

constexpr std::uint64_t kLeast = 256u << 20;

/// Where a cgroup bounds it: "max" is no number.
std::uint64_t of_cgroup() {
  std::uint64_t bytes = 0;
  std::ifstream("/sys/fs/cgroup/memory.max") >> bytes;
  return bytes;
}

std::uint64_t of_machine() {
  const long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
  return pages > 0 && page_bytes > 0
             ? static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page_bytes)
             : 0;
}

}  // namespace

std::uint64_t memory_bytes(const Config& config) {
  if (config.limits.memory_bytes != 0) return config.limits.memory_bytes;
  const std::uint64_t machine = of_machine(), cgroup = of_cgroup();
  return std::max(kLeast, (cgroup != 0 ? std::min(cgroup, machine) : machine) / 4);
}

}  // namespace config
