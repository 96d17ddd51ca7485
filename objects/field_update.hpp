#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "objects/bucket.hpp"
#include "objects/column.hpp"
#include "objects/result.hpp"

namespace objects {

/// What updateObjects sets: positions in Bucket::fields and their new columns.
using FieldUpdate = std::vector<std::pair<std::size_t, Column>>;

/// FieldUpdateError for no fields, before any store is touched.
Failed check_not_empty(const JsObject& fields);

/// Checks and converts (spec moray-rpc 10).
Result<FieldUpdate> field_update_of(const Bucket& bucket, const JsObject& fields);

/// The etag that updateObjects gives: `u` and seven hex digits, as no text's etag begins.
std::string update_etag(std::uint64_t random);

}  // namespace objects
