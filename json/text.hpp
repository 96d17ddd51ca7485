#pragma once

#include <string>
#include <string_view>

namespace json {

/// What a string's bytes between the quotes stand for. `raw` has only valid escapes; `out` is
/// overwritten. An escaped surrogate without its partner becomes EF BF BD.
void unescape(std::string_view raw, std::string& out);

/// Whether `raw`, unescaped, is `wanted`. Does not allocate where nothing is escaped.
bool unescaped_equals(std::string_view raw, std::string_view wanted);

}  // namespace json
