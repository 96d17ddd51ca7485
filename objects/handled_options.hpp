#pragma once

#include <string_view>

#include "objects/js_value.hpp"

namespace objects {

/// getObject's and findObjects' record of the options that were heeded (spec moray-rpc 7, 9.2).
inline constexpr std::string_view kGetHandledOptions =
    R"({"_handledOptions":["noBucketCache","noCache","req_id","requireOnlineReindexing","timeout"]})";
inline constexpr std::string_view kFindHandledOptions =
    R"({"_handledOptions":["req_id","limit","offset","sort","noLimit","no_count","sql_only","noBucketCache",)"
    R"("timeout","requireOnlineReindexing","requireIndexes"]})";

/// Whether the client asked for that record.
inline bool wants_handled_options(const JsValue& options) {
  const JsValue* internal = options.get("internalOpts");
  const JsValue* wanted = internal == nullptr ? nullptr : internal->get("sendHandledOptions");
  return wanted != nullptr && wanted->truthy();
}

}  // namespace objects
