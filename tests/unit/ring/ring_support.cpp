#include "tests/unit/ring/ring_support.hpp"

#include <memory>
#include <stdexcept>

#include <doctest/doctest.h>
#include <leveldb/db.h>
#include <leveldb/write_batch.h>

#include "ring/leveldb_store.hpp"
#include "tests/support/test_data.hpp"

namespace ring_support {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> rings(bool bad) {
  const auto status = nlohmann::json::parse(test_support::read_file(ring_file("STATUS", ".json")));
  std::vector<std::string> names;
  for (const auto& [name, what] : status.items())
    if (name.starts_with("bad-") == bad) names.push_back(name);
  return names;
}

std::unique_ptr<leveldb::DB> open(const fs::path& directory, bool create) {
  leveldb::Options options;
  options.create_if_missing = create;
  leveldb::DB* db = nullptr;
  const leveldb::Status status = leveldb::DB::Open(options, directory.string(), &db);
  if (!status.ok()) throw std::runtime_error(status.ToString());
  return std::unique_ptr<leveldb::DB>(db);
}

}  // namespace

std::vector<std::string> bad_rings() { return rings(true); }
std::vector<std::string> good_rings() { return rings(false); }

fs::path ring_file(const std::string& name, const std::string& ending) {
  const fs::path plain = test_support::data_path("ring/rings/" + name + ending);
  return fs::exists(plain) ? plain : fs::path(plain.string() + ".gz");
}

fs::path unpack_ring(const std::string& name, const fs::path& into) {
  test_support::unpack_archive(ring_file(name, ".leveldb.tar.gz"), into);
  return into / name;
}

std::map<std::string, std::string> entries(const fs::path& directory) {
  const auto db = open(directory, false);
  const std::unique_ptr<leveldb::Iterator> at(db->NewIterator({}));
  std::map<std::string, std::string> found;
  for (at->SeekToFirst(); at->Valid(); at->Next())
    found.emplace(at->key().ToString(), at->value().ToString());
  return found;
}

void write_entries(const fs::path& directory, const std::map<std::string, std::string>& entries) {
  const auto db = open(directory, true);
  leveldb::WriteBatch batch;
  for (const auto& [key, value] : entries) batch.Put(key, value);
  if (!db->Write({}, &batch).ok()) throw std::runtime_error("cannot write " + directory.string());
}

std::map<std::string, std::string> recorded_entries(const std::string& name) {
  std::map<std::string, std::string> found;
  for (const std::string& line : test_support::read_lines(ring_file(name, ".dump.jsonl"))) {
    const auto entry = nlohmann::json::parse(line);
    found.emplace(entry.at(0), entry.at(1));
  }
  return found;
}

std::map<std::string, std::string> fingerprint(const fs::path& directory) {
  std::map<std::string, std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    const auto when = entry.last_write_time().time_since_epoch().count();
    std::string what = std::to_string(when);
    if (entry.is_regular_file()) what += ' ' + test_support::read_file(entry.path());
    found.emplace(entry.path().string(), std::move(what));
  }
  return found;
}

std::string refusal(const fs::path& directory) {
  try {
    ring::load_leveldb(directory);
    return "";
  } catch (const ring::RingError& error) {
    return error.what();
  }
}

void check_nodes(const ring::Ring& ring, const fs::path& nodes) {
  for (const std::string& line : test_support::read_lines(nodes)) {
    CAPTURE(line);
    const auto node = nlohmann::json::parse(line);
    const auto location = ring.locate(node.at("key").get<std::string>());
    REQUIRE(location);
    CHECK(number(location->vnode) == node.at("vnode"));
    CHECK(ring.pnode_name(location->pnode) == node.at("pnode"));
    CHECK(nlohmann::json::parse(ring.data_json(location->vnode)) == node.at("data"));
    CHECK(ring.read_only(location->vnode) == (node.at("data") == "ro"));
  }
}

}  // namespace ring_support
