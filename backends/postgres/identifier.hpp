#pragma once

#include <string>
#include <string_view>

namespace backends::postgres {

/// A name as PostgreSQL folds it, quoted: keywords do no harm.
std::string identifier(std::string_view name);
/// A text as an SQL literal, for places that take no parameters.
std::string literal(std::string_view text);

}  // namespace backends::postgres
