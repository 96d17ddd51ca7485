#include "backends/postgres/operations/bucket_cache.hpp"

#include "backends/postgres/sql/failure.hpp"
#include "objects/errors.hpp"

namespace backends::postgres {

void BucketCache::follow_changes() {
  const std::uint64_t now = changes_->count();
  if (now == seen_) return;
  seen_ = now;
  entries_.clear();
}

bool BucketCache::knew(const std::string& bucket, Clock::time_point before) const {
  const auto found = entries_.find(bucket);
  return found != entries_.end() && found->second.read < before;
}

void BucketCache::drop(const std::string& bucket, Clock::time_point before) {
  if (knew(bucket, before)) entries_.erase(bucket);
}

void BucketCache::changed(const std::string& bucket) {
  drop(bucket);
  changes_->changed();
}

std::shared_ptr<const BucketTable> BucketCache::peek(const std::string& bucket) {
  follow_changes();
  const auto found = entries_.find(bucket);
  if (found == entries_.end() || Clock::now() - found->second.read > kLife) return nullptr;
  return found->second.table;
}

Task<std::shared_ptr<const BucketTable>> BucketCache::load(Connection& connection,
                                                           std::string bucket) {
  // A name with a zero byte is no bucket's, and PostgreSQL's texts hold none.
  if (bucket.find('\0') != std::string::npos)
    throw RpcError{objects::errors::bucket_not_found(bucket)};
  follow_changes();
  const std::uint64_t before = seen_;
  const Rows rows = rows_of(co_await connection.run(kLoadBucket, load_parameters(bucket)));
  if (rows.count() == 0) {
    drop(bucket);
    throw RpcError{objects::errors::bucket_not_found(bucket)};
  }
  if (rows.text(0, 0) != bucket) {
    connection.close_out_of_step("a bucket was answered with another's row");
    throw StatementFailed{QueryError{"", kOutOfStep, ""}};
  }
  auto table = bucket_table(rows, 0);
  follow_changes();
  if (seen_ != before) co_return table;  // it may have been read before that change
  if (entries_.size() >= kBucketsMax) entries_.clear();
  entries_[bucket] = {table, Clock::now()};
  co_return table;
}

}  // namespace backends::postgres
