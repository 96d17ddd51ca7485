#pragma once

#include <string>
#include <string_view>

#include "objects/column.hpp"
#include "objects/result.hpp"

namespace objects {

/// A member of an object as its index column (spec moray-postgres 6). JSON's null is NULL. Fails
/// with InvalidIndexTypeError, or with PostgreSQL's own error where moray leaves the check to it.
Result<Column> convert(const std::string& field, IndexType type, const JsValue& value);

/// A filter's value for a field of that type; nullopt where it does not convert. A number that is
/// none becomes NaN.
std::optional<Element> convert_filter_value(Scalar scalar, const std::string& value);

/// JavaScript's parseFloat.
double parse_float(std::string_view text);

/// `value.vnode` for a BIGINT column; nullopt: NULL. Fails with PostgreSQL's error.
Result<std::optional<std::int64_t>> convert_vnode(const JsObject& value);

}  // namespace objects
