#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ring/ring.hpp"

namespace ring {

/// How directories of node-fash's form are read in another process; any thread. Both members are
/// there, or neither: directories are read, and edited, in this process then. Both throw RingError.
struct Load {
  using Read = std::function<std::shared_ptr<const Ring>(const std::filesystem::path& directory)>;
  /// Edits the directory first, which must be a copy that nobody reads yet: it may be edited in
  /// part where this throws. `edit`: as the other process understands it.
  using Edit = std::function<std::shared_ptr<const Ring>(const std::filesystem::path& directory,
                                                         const std::string& edit)>;

  [[nodiscard]] std::shared_ptr<const Ring> operator()(
      const std::filesystem::path& directory) const {
    return read(directory);
  }
  explicit operator bool() const { return static_cast<bool>(read); }

  Read read;
  Edit edit;
};

/// An edit of a directory of node-fash's form, in place.
struct DirectoryEdit {
  std::function<void(const std::filesystem::path& directory)> apply;  ///< in this process
  std::string text = {};  ///< the same, for `Load::edit`
};

/// Reads rings in a process of their own, since LevelDB ends its process where it finds certain
/// damage (an assertion, not an error): the caller gets a RingError that says so. The process gets
/// `words`, the first of which is the program's path, and the directory; for an edit also `--edit`,
/// and its text on its standard input. It writes the ring's image
/// (ring/image.hpp) to its standard output and ends with 0, or says on its standard error why not.
/// It is ended after ten minutes, and when `stop` is called, which is for any thread: no ring is
/// read any more then.
struct Loader {
  Load load;                   ///< empty: rings are read in this process
  std::function<void()> stop;  ///< empty where `load` is
};
Loader load_in_child(std::vector<std::string> words);

/// What such a process does, after `edit`, if there is one. It ends with the process that has
/// started it. Returns its exit code.
int write_image(const std::filesystem::path& directory, int output,
                const std::function<void(const std::filesystem::path& directory)>& edit = {});

}  // namespace ring
