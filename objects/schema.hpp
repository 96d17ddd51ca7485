#pragma once

#include <optional>
#include <string>

#include "objects/js_value.hpp"

/// The JSON schemas of moray's arguments. Each check returns what is wrong, in the words of
/// moray's validator (`<path> should be …`), or nothing. `path` names the value. Pure.
namespace objects::schema {

using Complaint = std::optional<std::string>;

Complaint nonempty_string(const JsValue& value, const std::string& path);
Complaint string(const JsValue& value, const std::string& path);
Complaint object(const JsValue& value, const std::string& path);
Complaint array(const JsValue& value, const std::string& path);
Complaint nonnegative_integer(const JsValue& value, const std::string& path);
/// The options of any RPC: members that are known must fit, others may be anything.
Complaint options(const JsValue& value, const std::string& path);
/// A batch's requests.
Complaint requests(const JsValue& value, const std::string& path);

}  // namespace objects::schema
