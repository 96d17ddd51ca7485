// create, deserialize-ring: new rings.
#include <cmath>
#include <filesystem>
#include <iostream>

#include "ring/leveldb_store.hpp"
#include "ring/topology.hpp"
#include "ring/vnode_number.hpp"
#include "ring_tool/commands.hpp"
#include "ring_tool/failure.hpp"
#include "ring_tool/lists.hpp"
#include "ring_tool/source.hpp"

namespace ring_tool {
namespace {

constexpr std::uint32_t kVnodesPerLine = 10'000;

std::uint32_t vnode_count(const std::string& text) {
  const double number = javascript_number(text);
  if (std::isnan(number)) throw Failure("arg for \"-v\" is not a number: \"" + text + "\"");
  if (number == 0) throw WrongUse("--vnode is required");
  if (number < 1 || number > ring::kVnodesMax || number != std::floor(number))
    throw Failure("a ring has between 1 and 100,000,000 vnodes, not " + text);
  return static_cast<std::uint32_t>(number);
}

/// A directory that can take a ring: nothing of the name is there, and its parent is.
void check_free(const std::string& directory, const std::string& doing) {
  namespace fs = std::filesystem;
  if (fs::exists(directory))
    throw Failure(doing + ": : Invalid argument: " + directory +
                  ": exists (error_if_exists is true)");
  const fs::path parent = fs::absolute(directory).parent_path();
  if (!fs::is_directory(parent))
    throw Failure(doing + ": : IO error: " + directory + "/LOCK: No such file or directory");
}

void write(const std::string& directory, const ring::Ring& ring, const std::string& doing) {
  try {
    ring::create_leveldb(directory, ring);
  } catch (const ring::RingError& error) {
    throw Failure(doing + ": " + error.what());
  }
}

}  // namespace

void create(const Options& options, const Streams& streams) {
  const std::uint32_t count = vnode_count(options.required("vnode"));
  const std::vector<std::string> pnodes = split_list(options.required("pnode"));
  const std::string name = options.get("algorithm").value_or("sha256");
  const auto algorithm = ring::algorithm_named(name);
  if (!algorithm) throw Failure("algorithm " + name + " is not supported");
  if (pnodes.empty()) throw Failure("a ring needs at least one pnode");
  if (options.get("backend").value_or("memory") != "leveldb") {
    const MemoryRing made = MemoryRing::create(*algorithm, count, pnodes);
    if (options.has("output")) streams.out << made.serialize() << '\n';
    return;
  }
  const auto directory = options.get("location");
  if (!directory) throw Failure("options.location (string) is required");
  check_free(*directory, "unable to create ring");
  std::shared_ptr<const ring::Ring> made;
  try {
    made = ring::create_ring(*algorithm, count, pnodes);
  } catch (const ring::RingError& error) {
    throw Failure("unable to create ring: " + std::string(error.what()));
  }
  write(*directory, *made, "unable to create ring");
  for (std::uint32_t done = kVnodesPerLine; done < count; done += kVnodesPerLine)
    streams.out << "working: processed " << done << " vnodes\n";
  if (options.has("output")) streams.out << ring::serialize_topology(*made) << '\n';
}

void deserialize_ring(const Options& options, const Streams& streams) {
  const std::string directory = options.required("location");
  const auto file = options.get("file");
  const std::string text =
      file ? read_file(*file) : std::string(std::istreambuf_iterator<char>(streams.in), {});
  check_free(directory, "unable to deserialize ring");
  std::shared_ptr<const ring::Ring> ring;
  try {
    ring = ring::parse_topology(text);
  } catch (const ring::RingError& error) {
    throw Failure("unable to deserialize ring: " + std::string(error.what()));
  }
  write(directory, *ring, "unable to deserialize ring");
}

}  // namespace ring_tool
