#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

namespace ring_tool {

/// A value as Node 6's util.inspect prints it (spec ring 10), but that long lists are never cut.
/// Members of objects that are array indices come first, ascending.
std::string inspect(const nlohmann::ordered_json& value);

}  // namespace ring_tool
