#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include <leveldb/db.h>
#include <leveldb/write_batch.h>

#include "ring/leveldb_store.hpp"
#include "ring/ring.hpp"
#include "tests/fuzz/require.hpp"
#include "tests/support/test_data.hpp"

// A LevelDB database with any records in it, one `key value` a line:
// it is a ring, which is stored as the same ring, or is refused by name.

namespace {

void write(const std::filesystem::path& directory, std::string_view text) {
  leveldb::Options options;
  options.create_if_missing = true;
  leveldb::DB* opened = nullptr;
  require(leveldb::DB::Open(options, directory.string(), &opened).ok(), "a database is made");
  const std::unique_ptr<leveldb::DB> database(opened);
  leveldb::WriteBatch batch;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const std::size_t space = line.find(' ');
    const std::string_view value =
        space == std::string_view::npos ? std::string_view() : line.substr(space + 1);
    const std::string_view key = line.substr(0, space);
    batch.Put({key.data(), key.size()}, {value.data(), value.size()});
  }
  require(database->Write({}, &batch).ok(), "records are written");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const test_support::TemporaryDirectory place;
  const std::filesystem::path directory = place.path() / "ring", copy = place.path() / "copy";
  std::filesystem::remove_all(directory);
  std::filesystem::remove_all(copy);
  write(directory, {reinterpret_cast<const char*>(data), size});
  std::shared_ptr<const ring::Ring> ring;
  try {
    ring = ring::load_leveldb(directory);
  } catch (const ring::RingError& error) {
    require(std::string_view(error.what()).find(directory.string()) != std::string_view::npos,
            "a refusal names the directory");
    return 0;
  }
  ring::create_leveldb(copy, *ring);
  require(ring::load_leveldb(copy)->digest() == ring->digest(), "a ring is stored as the same");
  return 0;
}
