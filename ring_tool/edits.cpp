// add-data, remap-vnode, remove-pnode.
#include <algorithm>
#include <iostream>

#include "ring/digest.hpp"
#include "ring/generation_store.hpp"
#include "ring_tool/commands.hpp"
#include "ring_tool/failure.hpp"
#include "ring_tool/lists.hpp"
#include "ring_tool/source.hpp"
#include "ring_tool/stored_ring.hpp"

namespace ring_tool {
namespace {

std::vector<std::int64_t> vnodes_of(const std::string& list) {
  std::vector<std::int64_t> vnodes = vnode_list(list);
  if (vnodes.empty()) throw Failure("vnode (number) is required");
  return vnodes;
}

/// Applies an edit to each vnode in turn. As with node-fash, those before the first failure stay
/// done; here they are written together, and each is told of when it is.
template <typename Edit>
void edit_stored(const Options& options, const Streams& streams, const std::string& location,
                 Edit edit) {
  if (ring::GenerationStore::is_generation(location))
    throw Failure(
        location +
        " is a generation of a store, which never changes; use moray-router admin, or a copy");
  StoredRing ring(location, StoredRing::Access::edit);
  std::string lines;
  std::optional<Failure> failure;
  try {
    edit(ring, lines);
  } catch (const Failure& failed) {
    failure = failed;
  }
  ring.commit();
  streams.out << lines;
  if (failure) throw *failure;
  if (options.has("output")) streams.out << ring.serialize() << '\n';
}

/// False, and nothing done: one of them can't be, which one at a time will tell.
bool all_at_once(StoredRing& ring, const std::vector<std::int64_t>& vnodes,
                 const std::string& pnode) {
  std::vector<std::uint32_t> numbers(vnodes.begin(), vnodes.end());
  std::vector<std::uint32_t> sorted = numbers;
  std::sort(sorted.begin(), sorted.end());
  const bool ordinary = std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end() &&
                        std::all_of(vnodes.begin(), vnodes.end(), [](std::int64_t vnode) {
                          return vnode >= 0 && vnode < 0xffffffff;
                        });
  if (!ordinary) return false;
  try {
    ring.remap(numbers, pnode);
    return true;
  } catch (const Failure&) {
    return false;
  }
}

template <typename Edit>
void edit_memory(const Options& options, const Streams& streams, const Source& source, Edit edit) {
  MemoryRing ring = read_memory(source, streams);
  edit(ring);
  if (options.has("output")) streams.out << ring.serialize() << '\n';
}

}  // namespace

void add_data(const Options& options, const Streams& streams) {
  const std::string list = options.required("vnode");
  const Source source = source_of(options);
  const std::vector<std::int64_t> vnodes = vnodes_of(list);
  const std::string data = options.get("data").value_or("");
  if (source.backend == Backend::memory)
    return edit_memory(options, streams, source, [&](MemoryRing& ring) {
      for (const std::int64_t vnode : vnodes)
        ring.add_data(vnode,
                      data.empty() ? nlohmann::ordered_json(1) : nlohmann::ordered_json(data));
    });
  edit_stored(options, streams, source.location, [&](StoredRing& ring, std::string& lines) {
    for (const std::int64_t vnode : vnodes) {
      ring.add_data(vnode, data.empty() ? "1" : ring::json_string(data));
      lines += "{\"" + std::to_string(vnode) + "\":\"" + (data.empty() ? "1" : data) + "\"}\n";
    }
  });
}

void remap_vnode(const Options& options, const Streams& streams) {
  const std::string list = options.required("vnode");
  const std::string pnode = options.required("pnode");
  const Source source = source_of(options);
  const std::vector<std::int64_t> vnodes = vnodes_of(list);
  if (source.backend == Backend::memory)
    return edit_memory(options, streams, source, [&](MemoryRing& ring) {
      for (const std::int64_t vnode : vnodes) ring.remap(vnode, pnode);
    });
  edit_stored(options, streams, source.location, [&](StoredRing& ring, std::string& lines) {
    const auto say = [&](std::int64_t vnode) {
      lines += "{\"" + pnode + "\":\"" + std::to_string(vnode) + "\"}\n";
    };
    if (all_at_once(ring, vnodes, pnode)) {
      for (const std::int64_t vnode : vnodes) say(vnode);
      return;
    }
    for (const std::int64_t vnode : vnodes) {
      ring.remap(vnode, pnode);
      say(vnode);
    }
  });
}

void remove_pnode(const Options& options, const Streams& streams) {
  const std::string pnode = options.required("pnode");
  const Source source = source_of(options);
  if (source.backend == Backend::memory)
    return edit_memory(options, streams, source,
                       [&](MemoryRing& ring) { ring.remove_pnode(pnode); });
  edit_stored(options, streams, source.location,
              [&](StoredRing& ring, std::string&) { ring.remove_pnode(pnode); });
}

}  // namespace ring_tool
