#include "backends/embedded/block_cache.hpp"

#include <algorithm>

namespace backends::embedded {
namespace {

constexpr std::size_t kParts = 16;  // LevelDB's kNumShards, util/cache.cc

}  // namespace

BlockCache::BlockCache(std::size_t bytes_max)
    : bytes_max_(bytes_max), cache_(leveldb::NewLRUCache(bytes_max)) {}

leveldb::Cache::Handle* BlockCache::Insert(const leveldb::Slice& key, void* value,
                                           std::size_t charge,
                                           void (*deleter)(const leveldb::Slice& key,
                                                           void* value)) {
  if (charge <= bytes_max_ / kParts) return cache_->Insert(key, value, charge, deleter);
  Handle* used = cache_->Insert(key, value, 0, deleter);
  const std::scoped_lock lock(mutex_);
  forget(key);
  large_.push_back({key.ToString(), charge});
  large_bytes_ += charge;
  while (large_bytes_ > bytes_max_ && large_.size() > 1) drop_oldest();
  return used;
}

leveldb::Cache::Handle* BlockCache::Lookup(const leveldb::Slice& key) {
  Handle* found = cache_->Lookup(key);
  if (found == nullptr) return nullptr;
  const std::scoped_lock lock(mutex_);
  const auto large = std::find_if(large_.begin(), large_.end(),
                                  [&key](const Large& each) { return key == each.key; });
  if (large != large_.end()) std::rotate(large, large + 1, large_.end());
  return found;
}

void BlockCache::Erase(const leveldb::Slice& key) {
  const std::scoped_lock lock(mutex_);
  forget(key);
  cache_->Erase(key);
}

void BlockCache::Prune() {
  const std::scoped_lock lock(mutex_);
  while (!large_.empty()) drop_oldest();
  cache_->Prune();
}

std::size_t BlockCache::TotalCharge() const {
  const std::scoped_lock lock(mutex_);
  return cache_->TotalCharge() + large_bytes_;
}

/// LevelDB's cache may have dropped the block by itself, to make room in its part.
void BlockCache::forget(const leveldb::Slice& key) {
  const auto large = std::find_if(large_.begin(), large_.end(),
                                  [&key](const Large& each) { return key == each.key; });
  if (large == large_.end()) return;
  large_bytes_ -= large->bytes;
  large_.erase(large);
}

/// A reader that has it now goes on.
void BlockCache::drop_oldest() {
  cache_->Erase(large_.front().key);
  large_bytes_ -= large_.front().bytes;
  large_.erase(large_.begin());
}

}  // namespace backends::embedded
