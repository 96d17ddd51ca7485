#pragma once

#include <string_view>

#include "objects/column.hpp"

namespace backends::postgres {

/// PostgreSQL's name of a column's type, as casts and CREATE TABLE take it: `numeric`, `text[]`.
std::string sql_type(objects::IndexType type);
std::string_view sql_type(objects::Scalar scalar);

/// A column as the server prints it (ISO dates, UTC), the other way than objects::to_postgres.
/// NULL for what the type does not print.
objects::Column parse_column(std::string_view text, objects::IndexType type);

/// `2020-01-02 03:04:05.123+00`.
std::optional<objects::Timestamp> parse_timestamp(std::string_view text);

}  // namespace backends::postgres
