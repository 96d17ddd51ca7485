#include "router/serve/shard_choice.hpp"

namespace router {

std::size_t choose_healthy(std::span<backends::Shard* const> shards, std::uint64_t& random_state,
                           const backends::Shard* but) {
  // xorshift64: spread, not secrecy
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  const std::size_t first = random_state % shards.size();
  for (const bool also_unhealthy : {false, true})
    for (std::size_t i = 0; i < shards.size(); ++i) {
      const std::size_t index = (first + i) % shards.size();
      if (shards[index] == but) continue;
      if (also_unhealthy || shards[index]->healthy()) return index;
    }
  return first;
}

}  // namespace router
