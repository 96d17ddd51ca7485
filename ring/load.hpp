#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ring/ring.hpp"

namespace ring {

/// Reads a directory of node-fash's form; any thread. Throws RingError.
using Load = std::function<std::shared_ptr<const Ring>(const std::filesystem::path& directory)>;

/// Reads rings in a process of their own, since LevelDB ends its process where it finds certain
/// damage (an assertion, not an error): the caller gets a RingError that says so. The process gets
/// `words`, the first of which is the program's path, and the directory; it writes the ring's image
/// (ring/image.hpp) to its standard output and ends with 0, or says on its standard error why not.
/// It is ended after ten minutes, and when `stop` is called, which is for any thread: no ring is
/// read any more then.
struct Loader {
  Load load;                   ///< empty: rings are read in this process
  std::function<void()> stop;  ///< empty where `load` is
};
Loader load_in_child(std::vector<std::string> words);

/// What such a process does. Returns its exit code.
int write_image(const std::filesystem::path& directory, int output);

}  // namespace ring
