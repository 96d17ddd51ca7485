// get-pnodes, get-vnodes, get-vnode-pnode-and-data, get-data-vnodes, get-node, print-hash.
#include <iostream>

#include "ring_tool/commands.hpp"
#include "ring_tool/failure.hpp"
#include "ring_tool/inspect.hpp"
#include "ring_tool/lists.hpp"
#include "ring_tool/source.hpp"
#include "ring_tool/stored_ring.hpp"

namespace ring_tool {
namespace {

using Json = nlohmann::ordered_json;
using Access = StoredRing::Access;

/// {vnode: {pnode, vnodeData}}
Json described(StoredRing& ring, const std::vector<std::int64_t>& vnodes) {
  Json all = Json::object();
  for (const std::int64_t vnode : vnodes) {
    try {
      const Place place = ring.vnode(vnode);
      all[std::to_string(vnode)] = {{"pnode", place.pnode}, {"vnodeData", place.data}};
    } catch (const Failure& failure) {
      throw Failure("unable to get pnode and data for for vnode " + std::to_string(vnode) +
                    std::string(failure.what()));
    }
  }
  return all;
}

}  // namespace

void get_pnodes(const Options& options, const Streams& streams) {
  const Source source = source_of(options);
  const std::vector<std::string> pnodes = source.backend == Backend::memory
                                              ? read_memory(source, streams).pnodes()
                                              : StoredRing(source.location, Access::read).pnodes();
  streams.out << inspect(pnodes) << '\n';
}

void get_vnodes(const Options& options, const Streams& streams) {
  const Source source = source_of(options);
  const std::string& pnode = options.arguments()[0];
  const std::vector<std::uint32_t> vnodes =
      source.backend == Backend::memory
          ? read_memory(source, streams).vnodes_of(pnode)
          : StoredRing(source.location, Access::read).vnodes_of(pnode);
  streams.out << inspect(vnodes) << '\n';
}

void get_vnode_pnode_and_data(const Options& options, const Streams& streams) {
  const std::string list = options.required("vnodes");
  StoredRing ring(options.required("location"), Access::read);
  const Json all = described(ring, vnode_list(list));
  streams.out << "vnodes:  " << inspect(all) << '\n';
}

void get_data_vnodes(const Options& options, const Streams& streams) {
  StoredRing ring(options.required("location"), Access::read);
  const std::vector<std::uint32_t> vnodes = ring.data_vnodes();
  const bool verbose = options.has("verbose");
  const Json all = verbose ? described(ring, {vnodes.begin(), vnodes.end()}) : Json();
  streams.out << "vnodeArray:  " << inspect(vnodes) << '\n';
  if (verbose) streams.out << "vnodes:  " << inspect(all) << '\n';
}

void get_node(const Options& options, const Streams& streams) {
  const Source source = source_of(options);
  const std::string& key = options.arguments()[0];
  const Place place = source.backend == Backend::memory
                          ? read_memory(source, streams).locate(key)
                          : StoredRing(source.location, Access::read).locate(key);
  streams.out << inspect({{"pnode", place.pnode}, {"vnode", place.vnode}, {"data", place.data}})
              << '\n';
}

void print_hash(const Options& options, const Streams& streams) {
  const Source source = source_of(options);
  if (source.backend == Backend::memory) {
    streams.out << read_memory(source, streams).serialize() << '\n';
    return;
  }
  StoredRing ring(source.location, Access::read);
  try {
    streams.out << ring.serialize() << '\n';
  } catch (const Failure& failure) {
    throw Failure("unable to print hash: " + std::string(failure.what()));
  }
}

}  // namespace ring_tool
