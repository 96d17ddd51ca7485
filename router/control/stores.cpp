#include "router/control/stores.hpp"

#include "router/plan/refusal.hpp"

namespace router {

ring::GenerationStore store_of(const config::Config& config, const char* what,
                               const ring::Load& elsewhere) {
  if (!ring::GenerationStore::is_store(config.ring_location))
    throw Refusal("no_store",
                  std::string(what) + " needs a store of generations, and " + config.ring_location +
                      " is a plain ring; make one with `moray-router ring store -l STORE " +
                      config.ring_location + "` and reload with STORE as the ring's location");
  return ring::GenerationStore(config.ring_location, elsewhere);
}

ring::Generation generation_before(const ring::GenerationStore& rings,
                                   std::optional<std::uint64_t> named) {
  const ring::Generation current = rings.current();
  if (named) {
    if (auto found = rings.find(*named)) return *std::move(found);
    throw Refusal("unknown_generation", "the store has no generation " + std::to_string(*named));
  }
  const auto number = rings.before(current);
  if (!number)
    throw Refusal("unknown_generation",
                  "the store has no generation before " + std::to_string(current.number));
  if (auto found = rings.find(*number)) return *std::move(found);
  throw Refusal("unknown_generation", "generation " + std::to_string(*number) +
                                          ", which was in force before " +
                                          std::to_string(current.number) +
                                          ", is not in the store any more; name another one");
}

}  // namespace router
