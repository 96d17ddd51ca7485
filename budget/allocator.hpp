#pragma once

#include <cstddef>

namespace budget {

/// Makes the C library's allocator give large buffers back as they are freed, where it is glibc's.
/// By itself it raises its bounds to the largest buffer that was ever freed: one of 32 MiB, and
/// each arena (of a worker, of an embedded shard's owner) keeps up to 64 MiB for ever, out of
/// `malloc_trim`'s reach. Once, at the start of the process.
void bound_allocator();

/// What the process has for itself, pages of files left out; 0 where the system does not tell it.
/// One read of a small file.
[[nodiscard]] std::size_t own_memory();

/// Gives back whole pages in the middle of what is allocated, where the C library can. Takes about
/// as long as there are free megabytes, in tens of microseconds each. Any thread.
void trim_memory();

}  // namespace budget
