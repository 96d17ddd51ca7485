// Preloaded into programs by a test: while the file that FULL_DISK_FLAG names is there, no file
// whose path has FULL_DISK_PATH in it becomes larger.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

/// Whether a write up to `end` would make a file of the full disk grow.
bool full(int file, off_t end) {
  const char* flag = std::getenv("FULL_DISK_FLAG");
  const char* part = std::getenv("FULL_DISK_PATH");
  if (flag == nullptr || part == nullptr || access(flag, F_OK) != 0) return false;
  std::array<char, 64> link{};
  std::array<char, 4096> path{};
  std::snprintf(link.data(), link.size(), "/proc/self/fd/%d", file);
  const ssize_t length = readlink(link.data(), path.data(), path.size() - 1);
  if (length <= 0 || std::strstr(path.data(), part) == nullptr) return false;
  struct stat now {};
  return fstat(file, &now) == 0 && end > now.st_size;
}

template <typename Function, typename... Arguments>
ssize_t unless_full(const char* name, off_t end, int file, Arguments... arguments) {
  if (full(file, end)) {
    errno = ENOSPC;
    return -1;
  }
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name))(file, arguments...);
}

using Write = ssize_t (*)(int, const void*, std::size_t, off_t);
using WriteHere = ssize_t (*)(int, const void*, std::size_t);

/// Where a write to the file itself would begin; 0 where it has no such place.
off_t position(int file) {
  struct stat now {};
  const int flags = fcntl(file, F_GETFL);
  if (flags >= 0 && (flags & O_APPEND) != 0 && fstat(file, &now) == 0) return now.st_size;
  return std::max<off_t>(lseek(file, 0, SEEK_CUR), 0);
}

}  // namespace

extern "C" ssize_t write(int file, const void* bytes, std::size_t count) {
  const int before = errno;
  const off_t end =
      std::getenv("FULL_DISK_FLAG") == nullptr ? 0 : position(file) + static_cast<off_t>(count);
  errno = before;
  return unless_full<WriteHere>("write", end, file, bytes, count);
}

extern "C" ssize_t pwrite(int file, const void* bytes, std::size_t count, off_t at) {
  return unless_full<Write>("pwrite", at + static_cast<off_t>(count), file, bytes, count, at);
}
extern "C" ssize_t pwrite64(int file, const void* bytes, std::size_t count, off_t at) {
  return unless_full<Write>("pwrite64", at + static_cast<off_t>(count), file, bytes, count, at);
}
extern "C" int posix_fallocate(int file, off_t at, off_t count) {
  if (full(file, at + count)) return ENOSPC;
  return reinterpret_cast<int (*)(int, off_t, off_t)>(dlsym(RTLD_NEXT, "posix_fallocate"))(file, at,
                                                                                           count);
}
