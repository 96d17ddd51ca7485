#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "fast/error_payload.hpp"
#include "json/document.hpp"
#include "router/plan/methods.hpp"

namespace router {

/// electric-moray's argument check: the count, then JavaScript's typeof of each. Fills
/// `arguments` with the elements of `d`. nullopt: nothing to complain of.
std::optional<fast::Error> check_arguments(const Method& method, json::Value d,
                                           std::vector<json::Value>& arguments);

/// JavaScript's truth: false for null, false, zero and the empty string.
bool truthy(json::Value value);
/// What JavaScript's String() makes of a value, for texts of errors.
std::string text_of(json::Value value);

}  // namespace router
