#pragma once

#include <string>

#include "backends/postgres/sql/bucket_table.hpp"
#include "objects/condition.hpp"
#include "objects/selection.hpp"

namespace backends::postgres {

/// The part of a condition that columns decide, as an SQL expression: exactly its rows where the
/// condition is exact, and a superset of them otherwise. Values become parameters, numbered from
/// what `parameters` holds already. Source: spec moray-postgres 8.
std::string where_clause(const BucketTable& table, const objects::Condition& condition,
                         Parameters& parameters);

/// ` ORDER BY … LIMIT … OFFSET …`, or nothing.
std::string order_clause(const BucketTable& table, const objects::Selection& selection);

}  // namespace backends::postgres
