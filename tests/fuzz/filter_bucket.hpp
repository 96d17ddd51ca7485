#pragma once

#include <cstdint>
#include <vector>

#include "backends/postgres/sql/bucket_table.hpp"

/// The buckets over which `fuzz_filter` runs its filters: each has a field of every index type, by
/// the names that corpus/filter uses.

inline constexpr unsigned kTables = 4;

/// 1: two of the fields are still being reindexed. 2: the table has `_idx` and `_rver`.
backends::postgres::BucketTable fuzzed_table(unsigned which);

/// Rows as puts store them, with values at the edges of each type; some have no values at all.
std::vector<objects::Row> fuzzed_rows(const backends::postgres::BucketTable& table);
