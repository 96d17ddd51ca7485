#pragma once

#include <string_view>

namespace objects {

/// Whether PostgreSQL refuses the lower-case word as a name of a column or table: its reserved
/// words, and those that may only name functions and types.
bool sql_keyword(std::string_view word);

}  // namespace objects
