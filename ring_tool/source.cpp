#include "ring_tool/source.hpp"

#include <fstream>
#include <istream>
#include <iterator>

#include "ring/leveldb_store.hpp"
#include "ring/topology.hpp"
#include "ring_tool/failure.hpp"

namespace ring_tool {
namespace {

std::string all_of(std::istream& in) { return {std::istreambuf_iterator<char>(in), {}}; }

}  // namespace

Source source_of(const Options& options) {
  const std::string backend = options.required("backend");
  const std::string location = options.get("location").value_or("");
  if (backend == "memory") return {Backend::memory, location};
  if (backend != "leveldb") throw Failure("backend must be one of memory or leveldb");
  if (location.empty()) throw Failure("leveldb backend requires a location");
  return {Backend::leveldb, location};
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw Failure("ENOENT: no such file or directory, open '" + path + "'");
  return all_of(in);
}

MemoryRing read_memory(const Source& source, const Streams& streams) {
  return MemoryRing::parse(source.location.empty() ? all_of(streams.in)
                                                   : read_file(source.location));
}

std::shared_ptr<const ring::Ring> load_ring(const Source& source, const Streams& streams) {
  try {
    if (source.backend == Backend::leveldb) return ring::load_leveldb(source.location);
    return ring::parse_topology(source.location.empty() ? all_of(streams.in)
                                                        : read_file(source.location));
  } catch (const ring::RingError& error) {
    throw Failure(error.what());
  }
}

}  // namespace ring_tool
