#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>

namespace ring {

/// Which files make up a LevelDB at one moment. Opening reads CURRENT, then its MANIFEST, then the
/// names of the logs; where another process changes them in between, a log may be missed without
/// any error. Equal views before and after opening prove that this did not happen.
class DirectoryView {
 public:
  /// Empty where the directory can't be read.
  static DirectoryView of(const std::filesystem::path& directory);

  bool operator==(const DirectoryView&) const = default;

 private:
  std::string current_;                // what CURRENT says
  std::uintmax_t manifest_bytes_ = 0;  // it grows with every change of tables
  std::set<std::string> logs_;
};

}  // namespace ring
