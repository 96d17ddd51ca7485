#pragma once

#include <string_view>

#include "objects/js_value.hpp"
#include "objects/result.hpp"

namespace objects {

/// moray's own check of an RPC's arguments, before any store is touched (spec moray-rpc 2.1):
/// InvocationError naming the first argument that does not fit. An RPC without a table passes.
Failed check_arguments(std::string_view rpc, const JsArray& arguments);

}  // namespace objects
