#pragma once

#include "backends/postgres/wire/query.hpp"
#include "objects/js_value.hpp"

namespace backends::postgres {

/// A row as the sql RPC shows it: a member a column, the last of equal names; values by their
/// types (spec moray-postgres 7.1).
objects::JsObject sql_row(const Rows& rows, int row);

/// A JSON value as a parameter of the sql RPC; nullopt: NULL.
std::optional<std::string> sql_parameter(const objects::JsValue& value);

}  // namespace backends::postgres
