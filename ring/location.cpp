#include "ring/location.hpp"

#include "ring/generation_store.hpp"
#include "ring/leveldb_store.hpp"

namespace ring {

LocatedRing load_location(const std::string& location, const Load& elsewhere) {
  if (!GenerationStore::is_store(location))
    return {elsewhere ? elsewhere(location) : load_leveldb(location), 0};
  const GenerationStore store(location, elsewhere);
  auto loaded = store.load(store.current());
  return {std::move(loaded.ring), loaded.generation.number};
}

}  // namespace ring
