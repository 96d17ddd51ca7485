#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>

#include <doctest/doctest.h>
#include <leveldb/db.h>

#include "ring/leveldb_store.hpp"
#include "tests/support/test_data.hpp"
#include "tests/unit/ring/ring_support.hpp"

namespace fs = std::filesystem;

namespace {

void forbid_writing(const fs::path& directory) {
  constexpr auto kWrite = fs::perms::owner_write | fs::perms::group_write | fs::perms::others_write;
  constexpr auto kRead = fs::perms::owner_read | fs::perms::group_read | fs::perms::others_read;
  constexpr auto kEnter = fs::perms::owner_exec | fs::perms::group_exec | fs::perms::others_exec;
  for (const auto& entry : fs::directory_iterator(directory)) {
    fs::permissions(entry.path(), kRead, fs::perm_options::add);
    fs::permissions(entry.path(), kWrite, fs::perm_options::remove);
  }
  fs::permissions(directory, kRead | kEnter, fs::perm_options::replace);
}

/// root may write anywhere: give that up for a while where it is at hand.
class WithoutRoot {
 public:
  WithoutRoot() {
    if (geteuid() == 0 && seteuid(65534) == 0) changed_ = true;
  }
  ~WithoutRoot() {
    if (changed_ && seteuid(0) != 0) std::abort();
  }
  WithoutRoot(const WithoutRoot&) = delete;
  WithoutRoot& operator=(const WithoutRoot&) = delete;

 private:
  bool changed_ = false;
};

/// Whether another process would find the directory locked. POSIX locks are the process's own, so
/// only another one can tell.
bool locked_for_others(const fs::path& directory) {
  const std::string path = (directory / "LOCK").string();
  const pid_t child = fork();
  if (child == 0) {
    const int file = open(path.c_str(), O_RDWR);
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    _exit(file >= 0 && fcntl(file, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK ? 1 : 0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

}  // namespace

TEST_CASE("load: nothing on disk changes, be the ring good or bad") {
  const test_support::TemporaryDirectory directory;
  std::vector<std::string> names = ring_support::good_rings();
  for (const std::string& name : ring_support::bad_rings()) names.push_back(name);
  for (const std::string& name : names) {
    CAPTURE(name);
    const fs::path path = ring_support::unpack_ring(name, directory.path());
    const auto before = ring_support::fingerprint(directory.path());
    ring_support::refusal(path);
    CHECK(ring_support::fingerprint(directory.path()) == before);
    fs::remove_all(path);
  }
}

TEST_CASE("load: a directory that may not be written will do") {
  const test_support::TemporaryDirectory directory;
  fs::permissions(directory.path(), fs::perms{0755});
  for (const char* name : {"plain-100", "history-300", "snappy-500"}) {
    CAPTURE(name);
    const fs::path path = ring_support::unpack_ring(name, directory.path());
    forbid_writing(path);
    {
      const WithoutRoot without_root;
      CHECK(eaccess((path / "CURRENT").c_str(), W_OK) != 0);
      CHECK(ring_support::refusal(path) == "");
    }
    fs::permissions(path, fs::perms::owner_all, fs::perm_options::add);
  }
}

TEST_CASE("load: another handle may hold the directory open, and keeps its lock") {
  const test_support::TemporaryDirectory directory;
  const fs::path path = ring_support::unpack_ring("ro-64", directory.path());
  leveldb::DB* opened = nullptr;
  REQUIRE(leveldb::DB::Open({}, path.string(), &opened).ok());
  const std::unique_ptr<leveldb::DB> holder(opened);
  REQUIRE(locked_for_others(path));
  const auto loaded = ring::load_leveldb(path);
  CHECK(loaded->vnode_count() == 64);
  CHECK(locked_for_others(path));
  // What the holder has just written is seen.
  REQUIRE(holder->Put({}, "COMPLETE", "2").ok());
  REQUIRE(holder->Delete({}, "VERSION").ok());
  CHECK(ring_support::refusal(path).find("key VERSION") != std::string::npos);
}

TEST_CASE("load: a ring that its owner keeps compacting loads all the same") {
  const test_support::TemporaryDirectory directory;
  const fs::path path = ring_support::unpack_ring("medium-10000", directory.path());
  leveldb::DB* opened = nullptr;
  REQUIRE(leveldb::DB::Open({}, path.string(), &opened).ok());
  const std::unique_ptr<leveldb::DB> holder(opened);
  for (int round = 0; round < 10; ++round) {
    REQUIRE(holder->Put({}, "/OTHER", std::to_string(round)).ok());
    holder->CompactRange(nullptr, nullptr);
    CHECK(ring_support::refusal(path) == "");
  }
}
