#include "router/control/ring_files.hpp"

#include <vector>

#include "ring/generation_store.hpp"
#include "ring/leveldb_store.hpp"
#include "ring_tool/stored_ring.hpp"

namespace router {
namespace {

std::vector<std::uint32_t> numbers(const ring::VnodeSet& vnodes) {
  std::vector<std::uint32_t> all;
  all.reserve(vnodes.size());
  vnodes.each([&](ring::Vnode vnode) { all.push_back(number(vnode)); });
  return all;
}

}  // namespace

RingInForce load_ring(const std::string& location) { return ring::load_location(location); }

void edit_directory(const std::string& directory, const RingEdit& edit) {
  ring_tool::StoredRing stored(directory, ring_tool::StoredRing::Access::edit);
  stored.remap(numbers(edit.moved), edit.pnode);
  stored.add_data(numbers(edit.marked), edit.data_json);
  stored.commit();
}

RingInForce edit_ring(const std::string& location, const RingEdit& edit) {
  if (!ring::GenerationStore::is_store(location)) {
    edit_directory(location, edit);
    return load_ring(location);
  }
  ring::GenerationStore store(location);
  auto staged = store.stage_edit(
      [&](const std::filesystem::path& directory) { edit_directory(directory.string(), edit); });
  store.activate(staged.generation);
  store.forget_old();
  return {std::move(staged.ring), staged.generation.number};
}

}  // namespace router
