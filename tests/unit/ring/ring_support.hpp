#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "ring/ring.hpp"

namespace ring_support {

/// Names of the recorded rings (written by node-fash) whose name starts with `bad-`, or not.
std::vector<std::string> bad_rings();
std::vector<std::string> good_rings();

/// tests/data/ring/rings/<name><ending>
std::filesystem::path ring_file(const std::string& name, const std::string& ending);

/// Unpacks a recorded ring into `into` and returns its directory.
std::filesystem::path unpack_ring(const std::string& name, const std::filesystem::path& into);

/// Every entry of a LevelDB directory, opened for real.
std::map<std::string, std::string> entries(const std::filesystem::path& directory);
/// Writes a LevelDB directory of exactly these entries.
void write_entries(const std::filesystem::path& directory,
                   const std::map<std::string, std::string>& entries);
/// Every entry of a recorded ring, from its dump.
std::map<std::string, std::string> recorded_entries(const std::string& name);

/// Path, size, modification time and content of everything below a directory.
std::map<std::string, std::string> fingerprint(const std::filesystem::path& directory);

/// What a load says when it refuses; empty when it does not.
std::string refusal(const std::filesystem::path& directory);

/// Compares a ring with recorded answers of node-fash: `{key, pnode, vnode, data}` a line.
void check_nodes(const ring::Ring& ring, const std::filesystem::path& nodes);

}  // namespace ring_support
