#include "ring/location.hpp"

#include "ring/generation_store.hpp"
#include "ring/leveldb_store.hpp"

namespace ring {

LocatedRing load_location(const std::string& location) {
  if (!GenerationStore::is_store(location)) return {load_leveldb(location), 0};
  auto loaded = GenerationStore::load(GenerationStore(location).current());
  return {std::move(loaded.ring), loaded.generation.number};
}

}  // namespace ring
