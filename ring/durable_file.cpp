#include "ring/durable_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace ring::durable {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const fs::path& path) {
  throw std::system_error(errno, std::generic_category(), path.string());
}

/// Closed at the end.
struct Descriptor {
  Descriptor(const fs::path& path, int flags)
      : number(open(path.c_str(), flags | O_CLOEXEC, 0644)) {
    if (number < 0) fail(path);
  }
  ~Descriptor() { close(number); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number;
};

void sync(const fs::path& path, int flags) {
  const Descriptor file(path, flags);
  if (fsync(file.number) != 0) fail(path);
}

fs::path beside(const fs::path& path) {
  return path.parent_path() / ("." + path.filename().string() + "-new");
}

}  // namespace

void sync_file(const fs::path& path) { sync(path, O_RDONLY); }
void sync_directory(const fs::path& directory) { sync(directory, O_RDONLY | O_DIRECTORY); }

void write(const fs::path& path, const std::string& text) {
  const fs::path unfinished = beside(path);
  {
    const Descriptor file(unfinished, O_WRONLY | O_CREAT | O_TRUNC);
    for (std::size_t at = 0; at < text.size();) {
      const ssize_t written = ::write(file.number, text.data() + at, text.size() - at);
      if (written < 0 && errno != EINTR) fail(unfinished);
      if (written > 0) at += static_cast<std::size_t>(written);
    }
    if (fsync(file.number) != 0) fail(unfinished);
  }
  durable::rename(unfinished, path);
}

void link_to(const fs::path& target, const fs::path& link) {
  const fs::path unfinished = beside(link);
  if (unlink(unfinished.c_str()) != 0 && errno != ENOENT) fail(unfinished);
  if (symlink(target.c_str(), unfinished.c_str()) != 0) fail(unfinished);
  durable::rename(unfinished, link);
}

void rename(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) fail(to);
  sync_directory(to.parent_path());
}

void remove(const fs::path& path) {
  if (unlink(path.c_str()) != 0) {
    if (errno == ENOENT) return;
    fail(path);
  }
  sync_directory(path.parent_path());
}

}  // namespace ring::durable
