#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// The layout of an embedded shard's LevelDB (docs/embedded.md). The first byte tells the kind.
namespace backends::embedded::keys {

using BucketId = std::uint64_t;
using ColumnId = std::uint32_t;

std::string format();                       ///< the version of this layout
std::string next_bucket();                  ///< the next BucketId
std::string bucket(std::string_view name);  ///< a bucket's configuration
std::string bucket_prefix();
std::string counters(BucketId bucket);  ///< its next `_id` and its serial
std::string rows(BucketId bucket);      ///< prefix of its rows
std::string row(BucketId bucket, std::string_view key);
std::string unique_values(BucketId bucket);  ///< prefix of all its unique values
std::string unique_values(BucketId bucket, ColumnId column);
std::string unique_value(BucketId bucket, ColumnId column, std::string_view value);
std::string dropped(BucketId bucket);  ///< a bucket whose rows are still to be removed
std::string dropped_prefix();

/// What follows the prefix of `row`, `bucket`.
std::string_view row_key(std::string_view row);
std::string_view bucket_name(std::string_view bucket);
BucketId dropped_bucket(std::string_view dropped);

}  // namespace backends::embedded::keys
