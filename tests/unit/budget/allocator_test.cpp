#include "budget/allocator.hpp"

#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

// A sanitizer's allocator is another.
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

namespace {

constexpr std::size_t kMebibyte = std::size_t{1} << 20;

std::unique_ptr<char[]> buffer_of(std::size_t bytes) {
  auto buffer = std::make_unique_for_overwrite<char[]>(bytes);
  std::memset(buffer.get(), 'x', bytes);
  return buffer;
}

}  // namespace

TEST_CASE("allocator: what a thread's burst has used goes back while the thread lives") {
  budget::bound_allocator();
  std::size_t before = 0, after = 0;
  std::thread worker([&] {
    // Each of these raises the bounds of an allocator that is left to itself.
    for (std::size_t bytes = kMebibyte; bytes <= 32 * kMebibyte; bytes *= 2)
      buffer_of(bytes - 4096);
    before = budget::own_memory();
    std::vector<std::unique_ptr<char[]>> burst;
    for (std::size_t i = 0; i < 40; ++i) burst.push_back(buffer_of(kMebibyte + i));
    for (std::size_t i = 0; i < 40; ++i) burst.push_back(buffer_of((i + 1) << 13));
    burst.clear();
    after = budget::own_memory();
  });
  worker.join();
  CAPTURE(before);
  CHECK(after < before + 8 * kMebibyte);
}

#endif
