#pragma once

#include <filesystem>
#include <memory>
#include <stdexcept>

#include "ring/ring.hpp"

namespace ring {

/// A ring that can't be loaded or stored: what() names the reason, the directory and the key.
class RingError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Loads node-fash's LevelDB directory, every check of docs/ring.md made, and closes it again.
/// Harms nobody: nothing is written, no lock is taken, a read-only directory will do, and another
/// process may hold it open (retried while that one compacts). Throws RingError.
std::shared_ptr<const Ring> load_leveldb(const std::filesystem::path& directory);

/// Writes a ring as node-fash's LevelDB directory, which must not exist yet; COMPLETE comes last.
/// Throws RingError.
void create_leveldb(const std::filesystem::path& directory, const Ring& ring);

}  // namespace ring
