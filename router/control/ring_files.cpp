#include "router/control/ring_files.hpp"

#include "ring/generation_store.hpp"
#include "ring/leveldb_store.hpp"
#include "ring_tool/stored_ring.hpp"

namespace router {

RingInForce load_ring(const std::string& location) {
  if (!ring::GenerationStore::is_store(location)) return {ring::load_leveldb(location), 0};
  auto loaded = ring::GenerationStore::load(ring::GenerationStore(location).current());
  return {std::move(loaded.ring), loaded.generation.number};
}

void edit_directory(const std::string& directory, const RingEdit& edit) {
  ring_tool::StoredRing stored(directory, ring_tool::StoredRing::Access::edit);
  edit.moved.each([&](ring::Vnode vnode) { stored.remap(number(vnode), edit.pnode); });
  edit.marked.each([&](ring::Vnode vnode) { stored.add_data(number(vnode), edit.data_json); });
  stored.commit();
}

RingInForce edit_ring(const std::string& location, const RingEdit& edit) {
  if (!ring::GenerationStore::is_store(location)) {
    edit_directory(location, edit);
    return load_ring(location);
  }
  ring::GenerationStore store(location);
  auto staged = store.stage_edit([&](const std::filesystem::path& directory) { edit_directory(directory.string(), edit); });
  store.activate(staged.generation);
  store.forget_old();
  return {std::move(staged.ring), staged.generation.number};
}

}  // namespace router
