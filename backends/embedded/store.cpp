#include "backends/embedded/store.hpp"

#include <filesystem>
#include <stdexcept>

#include <leveldb/write_batch.h>

#include "backends/embedded/keys.hpp"

namespace backends::embedded {
namespace {

constexpr const char* kFormat = "moray-router embedded shard 1";
constexpr std::size_t kMemtableBytes = 16u << 20;
constexpr int kFilterBitsPerKey = 10;
// What LevelDB needs to open: a memtable written out, a new log and manifest.
constexpr std::size_t kProbeBytes = 2 * kMemtableBytes;

leveldb::Status write_probe(leveldb::Env& env, const std::string& path) {
  leveldb::WritableFile* opened = nullptr;
  leveldb::Status status = env.NewWritableFile(path, &opened);
  const std::unique_ptr<leveldb::WritableFile> file(opened);
  if (!status.ok()) return status;
  const std::string block(1u << 20, 'p');
  for (std::size_t written = 0; status.ok() && written < kProbeBytes; written += block.size())
    status = file->Append(block);
  if (status.ok()) status = file->Sync();
  return status;
}

}  // namespace

Store::Store(StoreOptions options)
    : options_(std::move(options)), cache_(options_.cache_bytes),
      filter_(leveldb::NewBloomFilterPolicy(kFilterBitsPerKey)) {
  std::error_code ignored;  // LevelDB says it better when the directory is not there
  std::filesystem::create_directories(std::filesystem::path(options_.directory), ignored);
  auto problem = open();
  if (!problem) return;
  db_.reset();
  const std::string probe = probe_path();
  const bool disk_is_well = write_probe(*options_.env, probe).ok();
  options_.env->RemoveFile(probe);
  if (!options_.may_begin_down || disk_is_well)
    throw std::runtime_error("embedded shard " + options_.directory + ": " + *problem);
  failed_ = true;
  problem_ = *std::move(problem);
  next_probe_ = std::chrono::steady_clock::now() + options_.probe_interval;
}

std::string Store::probe_path() const { return options_.directory + "/space-probe.tmp"; }

std::optional<std::string> Store::open() {
  leveldb::Options settings;
  settings.env = options_.env;
  settings.comparator = options_.comparator;
  settings.create_if_missing = true;
  settings.paranoid_checks = true;
  settings.block_cache = &cache_;
  settings.filter_policy = filter_.get();
  settings.write_buffer_size = kMemtableBytes;
  leveldb::DB* opened = nullptr;
  const leveldb::Status status = leveldb::DB::Open(settings, options_.directory, &opened);
  db_.reset(opened);
  if (!status.ok()) {
    const std::string text = status.ToString();
    if (text.find("lock") != std::string::npos)
      return "is open already, in another process or as another shard (" + text + ")";
    return text;
  }
  return check_format();
}

std::optional<std::string> Store::check_format() {
  std::string found;
  const leveldb::Status status = db_->Get({}, keys::format(), &found);
  if (status.ok()) {
    if (found == kFormat) return std::nullopt;
    db_.reset();
    return "has the format \"" + found + "\"; this build reads \"" + kFormat + "\"";
  }
  if (!status.IsNotFound()) return status.ToString();
  const std::unique_ptr<leveldb::Iterator> any(db_->NewIterator({}));
  any->SeekToFirst();
  if (any->Valid()) return "is a LevelDB of something else (it has keys, but no format record)";
  leveldb::WriteOptions durable;
  durable.sync = true;
  const leveldb::Status written = db_->Put(durable, keys::format(), kFormat);
  if (!written.ok()) return written.ToString();
  return std::nullopt;
}

leveldb::DB& Store::db() const {
  if (db_ == nullptr) throw StoreError("the store could not be opened: " + problem_);
  return *db_;
}

std::optional<std::string> Store::commit(const Changes& changes, bool sync) {
  if (failed_) return "nothing was written: the store has not recovered from: " + problem_;
  leveldb::WriteBatch batch;
  for (const auto& [key, value] : changes) {
    if (value)
      batch.Put(key, *value);
    else
      batch.Delete(key);
  }
  leveldb::WriteOptions settings;
  settings.sync = sync;
  written_bytes_ += batch.ApproximateSize();
  const leveldb::Status status = db().Write(settings, &batch);
  if (status.ok()) return std::nullopt;
  failed_ = true;
  problem_ = status.ToString();
  next_probe_ = std::chrono::steady_clock::now() + options_.probe_interval;
  return "writing failed, and the change may or may not be stored: " + problem_;
}

bool Store::may_recover() {
  const auto now = std::chrono::steady_clock::now();
  if (!failed_ || now < next_probe_) return false;
  next_probe_ = now + options_.probe_interval;
  const std::string path = probe_path();
  const leveldb::Status status = write_probe(*options_.env, path);
  options_.env->RemoveFile(path);
  if (!status.ok()) problem_ = status.ToString();
  return status.ok();
}

bool Store::recover() {
  db_.reset();
  if (auto problem = open()) {
    db_.reset();
    problem_ = *std::move(problem);
    return false;
  }
  failed_ = false;
  problem_.clear();
  return true;
}

}  // namespace backends::embedded
