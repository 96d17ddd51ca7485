#pragma once

#include <optional>
#include <string>
#include <vector>

#include "backends/postgres/wire/session.hpp"
#include "config/config.hpp"

namespace reshard {

/// A bucket's line in buckets_config.
struct BucketConfig {
  std::string name, index, pre, post;
  std::optional<std::string> options, mtime, reindex_active;
  /// Alike but for when they were made.
  [[nodiscard]] bool same(const BucketConfig& other) const;
  /// Whether its writes take turns over a table of one number.
  [[nodiscard]] bool keeps_order() const;
};

/// All buckets, by name. None where there is no buckets_config.
std::vector<BucketConfig> bucket_configs(backends::postgres::Session& session);
/// Those whose rows belong to vnodes.
std::vector<BucketConfig> routed(std::vector<BucketConfig> all, const config::Buckets& kinds);
bool is_routed(const std::string& bucket, const config::Buckets& kinds);

/// Adds to a database what a bucket needs beside its table: its line in the list of buckets, its
/// sequence, the one row of its table of order. What is there stays. The list of buckets must be
/// there. For a transaction of the caller's. Throws SessionError.
void add_bucket(backends::postgres::Session& session, const BucketConfig& config);

}  // namespace reshard
