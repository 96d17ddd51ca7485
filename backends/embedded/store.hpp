#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <leveldb/comparator.h>
#include <leveldb/db.h>
#include <leveldb/env.h>
#include <leveldb/filter_policy.h>

#include "backends/embedded/block_cache.hpp"
#include "backends/embedded/transaction.hpp"

namespace backends::embedded {

struct StoreOptions {
  std::string directory;
  leveldb::Env* env = leveldb::Env::Default();     ///< not owned; tests inject faults here
  std::chrono::milliseconds probe_interval{1000};  ///< between attempts to write again
  std::size_t cache_bytes = 64u << 20;             ///< of blocks that were read
  /// A disk that can't be written to is no reason to throw: as after a failed write.
  bool may_begin_down = false;
  /// Orders bytes. Not owned; tests count with it.
  const leveldb::Comparator* comparator = leveldb::BytewiseComparator();
};

/// An embedded shard's LevelDB, and what becomes of it when the disk fails. Lives on the owner's
/// thread.
///
/// Recovery: after a failed write LevelDB's log may end in a torn record, and what was appended
/// after it would be lost with it. So nothing is written any more until the database has been
/// closed and opened again, which reads the log to the tear and begins a new one. Before that a
/// file is written as a probe, so that a full disk costs no reads: the old database serves them
/// until there is room.
class Store {
 public:
  /// Opens or creates. Throws std::runtime_error naming the directory: in use by another process,
  /// damaged, of another format, not writable.
  explicit Store(StoreOptions options);

  /// Throws StoreError where a reopening failed.
  [[nodiscard]] leveldb::DB& db() const;

  /// All or nothing; on disk when it returns, where `sync`. A text: why it failed, for the client;
  /// the outcome is then not known until the store has recovered.
  std::optional<std::string> commit(const Changes& changes, bool sync);

  /// Written since the start, about.
  [[nodiscard]] std::uint64_t written_bytes() const { return written_bytes_; }

  /// A write failed, and nothing can be written until `recover` has succeeded.
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] const std::string& problem() const { return problem_; }
  /// Whether an attempt makes sense now: some time has passed and a probe file could be written.
  bool may_recover();
  /// Closes and opens. No iterator or snapshot may be left. False: still not.
  bool recover();

 private:
  std::optional<std::string> open();
  [[nodiscard]] std::string probe_path() const;
  std::optional<std::string> check_format();

  StoreOptions options_;
  BlockCache cache_;
  std::unique_ptr<const leveldb::FilterPolicy> filter_;
  std::unique_ptr<leveldb::DB> db_;
  std::uint64_t written_bytes_ = 0;
  bool failed_ = false;
  std::string problem_;
  std::chrono::steady_clock::time_point next_probe_;
};

}  // namespace backends::embedded
