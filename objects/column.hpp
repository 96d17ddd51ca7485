#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "objects/address.hpp"
#include "objects/index_type.hpp"
#include "objects/js_value.hpp"
#include "objects/range.hpp"

namespace objects {

/// One value of an index column. `string` and `uuid` are texts without surrogates; `ip` and
/// `subnet` are Networks.
using Element =
    std::variant<std::string, double, bool, Timestamp, NumberRange, DateRange, Network, Mac>;
using Elements = std::vector<std::optional<Element>>;  ///< nullopt: NULL in an array

/// An index column of a row: NULL, a value, or an array of values.
using Column = std::variant<std::monostate, Element, Elements>;

inline bool is_null(const Column& column) { return std::holds_alternative<std::monostate>(column); }

/// PostgreSQL's order in the C locale: texts by byte, NaN above every number. Both are of one type.
std::weak_ordering compare(const Element& a, const Element& b);

/// What clients get (spec moray-postgres 7.1). NaN and the infinities become null.
JsValue to_value(const Column& column, IndexType type);
/// What a store keeps, to be read back by `column_of`: like `to_value`, without loss.
JsValue to_stored(const Column& column, IndexType type);
/// Null for NULL, and for what `to_stored` never wrote.
Column column_of(const JsValue& stored, IndexType type);

/// As PostgreSQL prints it, e.g. in the detail of a unique violation.
std::string to_postgres(const Column& column, IndexType type);

}  // namespace objects
