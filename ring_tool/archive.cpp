// export, import: a ring as a tar archive of a directory `hash_ring`, as deployment tooling ships
// it; store: a ring as the current generation of a store.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>

#include "ring/generation_store.hpp"
#include "ring/leveldb_store.hpp"
#include "ring_tool/commands.hpp"
#include "ring_tool/failure.hpp"
#include "ring_tool/source.hpp"

extern char** environ;

namespace ring_tool {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDirectory = "hash_ring";

/// A new directory beside `path`, so that a rename from it stays on one file system; removed at
/// the end.
class Beside {
 public:
  explicit Beside(const fs::path& path) {
    std::string name = (fs::absolute(path).parent_path() / ".ring-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw Failure("can't write beside " + path.string());
    path_ = name;
  }
  ~Beside() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Beside(const Beside&) = delete;
  Beside& operator=(const Beside&) = delete;
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

void tar(std::vector<std::string> arguments, const std::string& doing) {
  arguments.insert(arguments.begin(), "tar");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t process = 0;
  int status = 0;
  if (posix_spawnp(&process, "tar", nullptr, nullptr, argv.data(), environ) != 0)
    throw Failure("tar can't be started");
  if (waitpid(process, &status, 0) != process || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
    throw Failure("tar could not " + doing);
}

bool compressed(const std::string& file) { return file.ends_with(".gz") || file.ends_with(".tgz"); }

}  // namespace

void export_ring(const Options& options, const Streams& streams) {
  const std::string& file = options.arguments()[0];
  if (fs::exists(file)) throw Failure(file + " exists already");
  const auto ring = load_ring({Backend::leveldb, options.required("location")}, streams);
  const Beside beside(file);
  ring::create_leveldb(beside.path() / kDirectory, *ring);
  const std::string unfinished = (beside.path() / "archive").string();
  tar({compressed(file) ? "-czf" : "-cf", unfinished, "-C", beside.path().string(), kDirectory},
      "write " + file);
  fs::rename(unfinished, file);
  streams.out << ring->digest() << '\n';
}

void import_ring(const Options& options, const Streams& streams) {
  const std::string& file = options.arguments()[0];
  const std::string location = options.required("location");
  if (!fs::exists(file)) throw Failure("ENOENT: no such file or directory, open '" + file + "'");
  if (fs::exists(location)) throw Failure(location + " exists already");
  const Beside beside(location);
  tar({"-xf", file, "-C", beside.path().string()}, "read " + file);
  const fs::path unpacked = beside.path() / kDirectory;
  if (!fs::is_directory(unpacked)) throw Failure(file + " holds no directory hash_ring");
  const auto ring =
      load_ring({Backend::leveldb, unpacked.string()}, streams);  // or nothing is imported
  fs::rename(unpacked, location);
  streams.out << ring->digest() << '\n';
}

void store_ring(const Options& options, const Streams& streams) {
  const std::string location = options.required("location");
  const auto ring = load_ring({Backend::leveldb, options.arguments()[0]}, streams);
  if (fs::exists(location) && !fs::is_empty(location) && !ring::GenerationStore::is_store(location))
    throw Failure(location + " is neither empty nor a store of generations");
  ring::GenerationStore store(location);
  if (ring::GenerationStore::is_store(location) && store.current().digest == ring->digest()) {
    streams.out << store.current().number << ' ' << ring->digest() << '\n';
    return;
  }
  const auto staged = store.stage_ring(*ring);
  store.activate(staged.generation);
  store.forget_old();
  streams.out << staged.generation.number << ' ' << ring->digest() << '\n';
}

}  // namespace ring_tool
