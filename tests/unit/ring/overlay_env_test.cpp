#include "ring/overlay_env.hpp"

#include <map>

#include <doctest/doctest.h>
#include <leveldb/db.h>

#include "ring/leveldb_store.hpp"
#include "tests/support/test_data.hpp"

namespace fs = std::filesystem;

namespace {

std::map<std::string, std::string> files(const fs::path& directory) {
  std::map<std::string, std::string> content;
  for (const auto& entry : fs::directory_iterator(directory))
    content[entry.path().filename()] = test_support::read_file(entry.path());
  return content;
}

}  // namespace

TEST_CASE("overlay: loading a ring changes no file, with a log to replay or without") {
  for (const std::string name : {"plain-100", "history-300", "medium-10000"}) {
    const test_support::TemporaryDirectory directory;
    test_support::unpack_archive(
        test_support::data_path("ring/rings/" + name + ".leveldb.tar.gz"), directory.path());
    const auto before = files(directory.path() / name);
    ring::load_leveldb(directory.path() / name);
    CHECK(files(directory.path() / name) == before);
  }
}

TEST_CASE("overlay: a ring loads from a directory that nobody may write") {
  const test_support::TemporaryDirectory directory;
  test_support::unpack_archive(test_support::data_path("ring/rings/ro-64.leveldb.tar.gz"),
                               directory.path());
  const fs::path path = directory.path() / "ro-64";
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_exec);
  CHECK(ring::load_leveldb(path)->vnode_count() == 64);
  fs::permissions(path, fs::perms::owner_all);
}

TEST_CASE("overlay: a ring loads while somebody holds its lock, who notices nothing") {
  const test_support::TemporaryDirectory directory;
  test_support::unpack_archive(test_support::data_path("ring/rings/plain-100.leveldb.tar.gz"),
                               directory.path());
  const std::string path = (directory.path() / "plain-100").string();
  leveldb::DB* opened = nullptr;
  REQUIRE(leveldb::DB::Open({}, path, &opened).ok());
  const std::unique_ptr<leveldb::DB> holder(opened);
  CHECK(ring::load_leveldb(path)->vnode_count() == 100);
  CHECK(holder->Put({}, "still", "here").ok());
}
