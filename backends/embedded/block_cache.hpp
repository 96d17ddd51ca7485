#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <leveldb/cache.h>

namespace backends::embedded {

/// Blocks that a store has read: `bytes_max` of them, and as many bytes of large ones, or one that
/// is larger. LevelDB's own cache goes over its bound where blocks are large: it is sixteen caches,
/// of which each keeps the block that was read last, of any size. Sixteen rows of 64 MB were
/// a gigabyte that nobody counted, for ever. Not to keep large blocks at all would be worse: small
/// rows lie in them, too, and each get of one would read 8 MB. Thread-safe.
class BlockCache final : public leveldb::Cache {
 public:
  explicit BlockCache(std::size_t bytes_max);

  Handle* Insert(const leveldb::Slice& key, void* value, std::size_t charge,
                 void (*deleter)(const leveldb::Slice& key, void* value)) override;
  Handle* Lookup(const leveldb::Slice& key) override;
  void Release(Handle* handle) override { cache_->Release(handle); }
  void* Value(Handle* handle) override { return cache_->Value(handle); }
  void Erase(const leveldb::Slice& key) override;
  std::uint64_t NewId() override { return cache_->NewId(); }
  void Prune() override;
  [[nodiscard]] std::size_t TotalCharge() const override;

 private:
  struct Large {
    std::string key;
    std::size_t bytes = 0;
  };

  void forget(const leveldb::Slice& key);
  void drop_oldest();

  std::size_t bytes_max_;
  std::unique_ptr<leveldb::Cache> cache_;  // large ones are in it, too, and weigh nothing there
  mutable std::mutex mutex_;
  std::vector<Large> large_;  // sixteen at most; the one that was used last is the last one
  std::size_t large_bytes_ = 0;
};

}  // namespace backends::embedded
