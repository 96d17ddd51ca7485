#include "budget/allocator.hpp"

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace budget {

void bound_allocator() {
#ifdef __GLIBC__
  // To map, clear and unmap a buffer costs a fraction of what it takes to read as much JSON.
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
  mallopt(M_TRIM_THRESHOLD, 2 << 20);
#endif
}

std::size_t own_memory() {
  std::size_t total = 0, resident = 0, shared = 0;
  std::ifstream statm("/proc/self/statm");
  if (!(statm >> total >> resident >> shared) || resident < shared) return 0;
  return (resident - shared) * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

void trim_memory() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

}  // namespace budget
