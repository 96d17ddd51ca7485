#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

namespace reshard {

/// By a rename, so that a reader finds it whole. It is shown, and nothing goes by it: what fails is
/// not worth a word, and what was shown before stays.
inline void replace_shown(const std::filesystem::path& path, const std::string& text) {
  const std::filesystem::path beside = path.string() + ".next";
  std::ofstream file(beside);
  file << text;
  file.close();
  std::error_code ignored;
  if (file) std::filesystem::rename(beside, path, ignored);
}

}  // namespace reshard
