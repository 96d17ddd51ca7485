#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "backends/postgres/wire/session.hpp"
#include "ring/ring.hpp"

namespace reshard {

struct BackfillOptions {
  std::vector<std::string> skip;  ///< buckets whose rows get no vnode: local and derived ones
  std::vector<std::string> only;  ///< empty: every other bucket
  std::uint64_t page = 5'000;     ///< rows looked at in one statement
  std::uint64_t rows_per_second = 10'000;  ///< written, at most; 0: any
  bool dry_run = false;
};

/// Where a backfill has come to: all keys of buckets before `bucket`, and of it up to `key`, are
/// done.
struct BackfillPosition {
  std::string bucket, key;
  bool operator==(const BackfillPosition&) const = default;
};

/// A row without a vnode whose vnode the ring gives to another shard: left as it is.
struct MisplacedRow {
  std::string bucket, key, owner;
  std::uint32_t vnode = 0;
  bool operator==(const MisplacedRow&) const = default;
};

struct BackfillCounts {
  std::uint64_t looked_at = 0, missing = 0, set = 0, misplaced = 0;
  bool operator==(const BackfillCounts&) const = default;
};

/// What a backfill tells while it runs.
struct BackfillTold {
  std::function<void(const std::string& bucket, std::uint64_t rows_about)> bucket;  ///< one begins
  std::function<void(std::uint64_t rows)> page;  ///< so many more were looked at
  std::function<void(const MisplacedRow& row)> misplaced;
  std::function<void(const BackfillPosition& position)> position;  ///< what came before is on disk
  std::function<bool()> stopped;                                   ///< true: stop after this page
};

/// Gives rows of routed buckets that have no `_vnode` theirs, where `pnode` owns it
/// (docs/postgres.md, vnodes of rows). Goes by keys, in pages, each its own transaction; rows being
/// written meanwhile get their vnode from whoever writes them. Safe to repeat. Throws
/// backends::postgres::SessionError.
BackfillCounts backfill_vnodes(backends::postgres::Session& session, const ring::Ring& ring,
                               const std::string& pnode, const BackfillOptions& options,
                               const BackfillPosition& from, const BackfillTold& told);

}  // namespace reshard
