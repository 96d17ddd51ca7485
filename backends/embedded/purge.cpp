#include "backends/embedded/purge.hpp"

#include <memory>

namespace backends::embedded {
namespace {

constexpr std::size_t kKeysPerStep = 500;
// Keys and values: LevelDB reads the values to come by the keys.
constexpr std::size_t kBytesPerStep = 1u << 20;

std::unique_ptr<leveldb::Iterator> keys_of(const Store& store) {
  leveldb::ReadOptions options;
  options.fill_cache = false;
  return std::unique_ptr<leveldb::Iterator>(store.db().NewIterator(options));
}

}  // namespace

void Purge::stop() {
  buckets_.clear();
  after_.clear();
}

void Purge::begin() {
  stop();
  const auto at = keys_of(store_);
  for (at->Seek(keys::dropped_prefix());
       at->Valid() && at->key().starts_with(keys::dropped_prefix()); at->Next())
    buckets_.push_back(keys::dropped_bucket({at->key().data(), at->key().size()}));
  check(at->status());
}

bool Purge::add(const Changes& committed) {
  const std::string prefix = keys::dropped_prefix();
  for (auto at = committed.lower_bound(prefix);
       at != committed.end() && at->first.starts_with(prefix); ++at)
    buckets_.push_back(keys::dropped_bucket(at->first));
  return pending();
}

std::optional<std::string> Purge::step() {
  if (buckets_.empty()) return std::nullopt;
  const keys::BucketId bucket = buckets_.front();
  Changes removed;
  const bool all =
      collect(keys::rows(bucket), removed) && collect(keys::unique_values(bucket), removed);
  if (!removed.empty()) after_ = removed.rbegin()->first;
  if (all) {
    removed[keys::counters(bucket)] = std::nullopt;
    removed[keys::dropped(bucket)] = std::nullopt;
  }
  if (auto problem = store_.commit(removed, false)) {
    stop();
    return problem;
  }
  if (all) {
    buckets_.pop_front();
    after_.clear();
    if (buckets_.empty()) buckets_.shrink_to_fit();
  }
  return std::nullopt;
}

bool Purge::collect(const std::string& prefix, Changes& removed) {
  // The key right after the last one; the range of unique values lies after that of rows.
  const std::string from = after_ < prefix ? prefix : after_ + '\0';
  const auto at = keys_of(store_);
  std::size_t bytes = 0;
  for (at->Seek(from); at->Valid() && at->key().starts_with(prefix); at->Next()) {
    if (removed.size() >= kKeysPerStep || bytes >= kBytesPerStep) return false;
    bytes += at->key().size() + at->value().size();
    removed[at->key().ToString()] = std::nullopt;
  }
  check(at->status());
  return true;
}

}  // namespace backends::embedded
