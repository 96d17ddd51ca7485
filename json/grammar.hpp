#pragma once

#include <optional>

#include "json/document.hpp"
#include "json/tokens.hpp"

namespace json {

/// Checks that the tokens form exactly one JSON value, and fills `tokens.ends`. The scanner has
/// checked UTF-8, control characters in strings, and that strings are closed; all the rest is
/// checked here, with nothing skipped. One pass, O(bytes), nothing allocated.
[[nodiscard]] std::optional<Problem> check_grammar(const Tokens& tokens);

}  // namespace json
