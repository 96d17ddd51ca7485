#include "ring/directory_view.hpp"

#include <fstream>
#include <system_error>

namespace ring {

DirectoryView DirectoryView::of(const std::filesystem::path& directory) {
  DirectoryView view;
  std::ifstream current(directory / "CURRENT");
  std::getline(current, view.current_);

  std::error_code failed;
  const auto bytes = std::filesystem::file_size(directory / view.current_, failed);
  if (!failed) view.manifest_bytes_ = bytes;
  std::filesystem::directory_iterator at(directory, failed);
  for (; !failed && at != std::filesystem::directory_iterator(); at.increment(failed))
    if (at->path().extension() == ".log") view.logs_.insert(at->path().filename().string());
  return view;
}

}  // namespace ring
