#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace test_support {

/// The path of a file or folder under tests/data.
std::filesystem::path data_path(const std::string& name);

/// The whole content of a file; throws std::runtime_error naming the file when it can't be read.
/// A name that ends in .gz is unpacked on the way (with gzip).
std::string read_file(const std::filesystem::path& path);

/// The non-empty lines of a file, as read_file reads it.
std::vector<std::string> read_lines(const std::filesystem::path& path);

/// A fresh empty directory that is removed with all its content at the end of its life.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// Unpacks a .tar.gz or .tar.xz into `into` (with tar); throws std::runtime_error when that fails.
void unpack_archive(const std::filesystem::path& archive, const std::filesystem::path& into);

}  // namespace test_support
