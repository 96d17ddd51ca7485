#include "router/serve/cells.hpp"

#include <set>

#include <doctest/doctest.h>

#include "router/serve/worker.hpp"

using namespace router;

TEST_CASE("cells: what workers count lies in cache lines of their own") {
  std::vector<std::unique_ptr<WorkerCells>> workers;
  for (int i = 0; i < 8; ++i) workers.push_back(std::make_unique<WorkerCells>());
  std::set<std::uintptr_t> lines;
  for (const auto& worker : workers) {
    for (const auto memory : worker->memory()) {
      const auto begin = reinterpret_cast<std::uintptr_t>(memory.data());
      // Whole lines: not even a neighbour on the heap has a part of one.
      CHECK(begin % kCacheLineBytes == 0);
      CHECK(memory.size() % kCacheLineBytes == 0);
      for (std::uintptr_t line = begin; line < begin + memory.size(); line += kCacheLineBytes)
        CHECK(lines.insert(line).second);
    }
    // What a request counts is in there.
    const auto within = [&](const void* cell) {
      const auto* at = static_cast<const std::byte*>(cell);
      for (const auto memory : worker->memory())
        if (at >= memory.data() && at < memory.data() + memory.size()) return true;
      return false;
    };
    CHECK(within(&worker->rpc(0).latency.nanoseconds));
    CHECK(within(&worker->gate().held));
    CHECK(within(&worker->shard(WorkerCells::kShardsCounted - 1).errors));
  }
  static_assert(alignof(Worker) == kCacheLineBytes && sizeof(Worker) % kCacheLineBytes == 0);
}
