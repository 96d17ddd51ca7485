#include "router/control/ring_files.hpp"

#include "ring/generation_store.hpp"
#include "ring/leveldb_store.hpp"
#include "ring/ring_edit.hpp"

namespace router {
namespace {

// An edit of more vnodes costs more than a new directory.
constexpr std::uint64_t kEditedPart = 8;

}  // namespace

RingInForce load_ring(const std::string& location, const ring::Load& elsewhere) {
  return ring::load_location(location, elsewhere);
}

std::shared_ptr<const ring::Ring> edited(const ring::Ring& ring, const RingEdit& edit) {
  std::shared_ptr<const ring::Ring> next;
  if (!edit.moved.empty()) next = remapped(ring, edit.moved, edit.pnode);
  if (!edit.marked.empty())
    next = with_data(next != nullptr ? *next : ring, edit.marked, edit.data_json);
  return next;
}

ring::LoadedGeneration stage_numbered(ring::GenerationStore& store, const ring::Ring& now,
                                      const ring::Ring& next, std::uint64_t number) {
  if (comparable(now, next) && store.current().digest == now.digest()) {
    const ring::Difference difference = ring::difference(now, next);
    std::uint64_t edits = 0;
    for (const auto& move : difference.moves) edits += move.vnodes.size();
    for (const auto& data : difference.data) edits += data.vnodes.size();
    if (edits <= next.vnode_count() / kEditedPart) {
      auto staged = store.stage_edit(directory_edit(difference), number);
      if (staged.generation.digest == next.digest()) return staged;
      store.drop(staged.generation);  // a pnode without vnodes, which an edit does not take away
    }
  }
  return store.stage_ring(next, number);
}

RingInForce edit_ring(const std::string& location, const RingEdit& edit,
                      const ring::Load& elsewhere) {
  if (!ring::GenerationStore::is_store(location)) {
    // What LevelDB would end its process for shows before it is opened here. The edit itself ends
    // with this process: by another one it could come after the next start has read the ring.
    if (elsewhere) static_cast<void>(elsewhere(location));
    directory_edit(edit).apply(location);
    return load_ring(location, elsewhere);
  }
  ring::GenerationStore store(location, elsewhere);
  auto staged = store.stage_edit(directory_edit(edit));
  store.activate(staged.generation);
  store.forget_old();
  return {std::move(staged.ring), staged.generation.number};
}

}  // namespace router
