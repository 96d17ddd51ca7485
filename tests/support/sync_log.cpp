// Preloaded into programs by a test: notes the time of each fsync and fdatasync in the file that
// SYNC_LOG names.
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace {

void note(const char* what) {
  const char* path = std::getenv("SYNC_LOG");
  if (path == nullptr) return;
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  std::array<char, 96> line{};
  const int bytes = std::snprintf(line.data(), line.size(), "%lld %s %d\n",
                                  static_cast<long long>(now.tv_sec) * 1000000 + now.tv_nsec / 1000,
                                  what, getpid());
  const int file = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
  if (file < 0) return;
  if (write(file, line.data(), static_cast<std::size_t>(bytes)) != bytes) std::abort();
  close(file);
}

int noted(const char* name, int file) {
  note(name);
  return reinterpret_cast<int (*)(int)>(dlsym(RTLD_NEXT, name))(file);
}

}  // namespace

extern "C" int fsync(int file) { return noted("fsync", file); }
extern "C" int fdatasync(int file) { return noted("fdatasync", file); }
