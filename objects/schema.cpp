#include "objects/schema.hpp"

#include <algorithm>
#include <cmath>

namespace objects::schema {
namespace {

using Check = Complaint (*)(const JsValue& value, const std::string& path);

Complaint boolean(const JsValue& value, const std::string& path) {
  if (value.boolean() != nullptr) return std::nullopt;
  return path + " should be boolean";
}

bool is_integer(const JsValue& value) {
  return value.number() != nullptr && *value.number() == std::floor(*value.number());
}

Complaint null_or_string(const JsValue& value, const std::string& path) {
  if (value.is_null() || value.string() != nullptr) return std::nullopt;
  return path + " should be null,string";
}

/// A count, as a number or as digits.
Complaint integer_or_digits(const JsValue& value, const std::string& path) {
  if (const std::string* text = value.string()) {
    const bool digits =
        !text->empty() && text->find_first_not_of("0123456789") == std::string::npos;
    return digits ? Complaint() : path + " should match pattern \"^[0-9]+$\"";
  }
  if (!is_integer(value)) return path + " should be integer,string";
  return *value.number() < 0 ? path + " should be >= 0" : Complaint();
}

bool is_uuid(const std::string& text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const char c = text[i];
    const bool hex = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
    if (dash ? c != '-' : !hex) return false;
  }
  return true;
}

Complaint request_id(const JsValue& value, const std::string& path) {
  if (value.string() == nullptr) return path + " should be string";
  if (is_uuid(*value.string())) return std::nullopt;
  return path + (value.string()->size() > 36 ? " should NOT be longer than 36 characters"
                                             : " should match format \"uuid\"");
}

Complaint sort_entry(const JsValue& value, const std::string& path) {
  if (value.object() == nullptr) return path + " should be object";
  if (const JsValue* attribute = value.get("attribute"))
    if (auto complaint = string(*attribute, path + ".attribute")) return complaint;
  const JsValue* order = value.get("order");
  if (order == nullptr) return std::nullopt;
  static constexpr const char* kOrders[] = {"ASC", "asc", "DESC", "desc"};
  const bool known = order->string() != nullptr &&
                     std::any_of(std::begin(kOrders), std::end(kOrders),
                                 [&](const char* one) { return *order->string() == one; });
  if (known) return std::nullopt;
  return path + ".order should be equal to one of the allowed values (\"ASC\", \"DESC\")";
}

/// One entry or an array of them; both branches' complaints are told.
Complaint sort(const JsValue& value, const std::string& path) {
  Complaint as_array;
  if (value.array() == nullptr) {
    as_array = path + " should be array";
  } else {
    for (std::size_t i = 0; i < value.array()->size() && !as_array; ++i)
      as_array = sort_entry((*value.array())[i], path + "[" + std::to_string(i) + "]");
  }
  const Complaint as_entry = sort_entry(value, path);
  if (!as_array || !as_entry) return std::nullopt;
  return *as_array + ", " + *as_entry + ", " + path + " should match some schema in anyOf";
}

Complaint internal_options(const JsValue& value, const std::string& path) {
  if (auto complaint = object(value, path)) return complaint;
  const JsValue* handled = value.get("sendHandledOptions");
  return handled == nullptr ? Complaint() : boolean(*handled, path + ".sendHandledOptions");
}

struct Member {
  const char* name;
  Check check;
};

constexpr Member kOptions[] = {
    {"req_id", request_id},
    {"timeout", nonnegative_integer},
    {"etag", null_or_string},
    {"_value", string},
    {"noBucketCache", boolean},
    {"noCache", boolean},
    {"headers", object},
    {"requireOnlineReindexing", boolean},
    {"requireIndexes", boolean},
    {"noLimit", boolean},
    {"limit", integer_or_digits},
    {"offset", integer_or_digits},
    {"sort", sort},
    {"no_count", boolean},
    {"sql_only", boolean},
    {"no_reindex", boolean},
    {"deep", boolean},
    {"internalOpts", internal_options},
};

Complaint operation(const JsValue& value, const std::string& path) {
  static constexpr const char* kOperations[] = {"put", "delete", "update", "deleteMany"};
  for (const char* one : kOperations)
    if (value.string() != nullptr && *value.string() == one) return std::nullopt;
  return path +
         " should be equal to one of the allowed values (\"put\", \"delete\", \"update\", "
         "\"deleteMany\")";
}

/// The members that an operation cannot do without; moray finds out too late.
Complaint required_members(const JsValue& request, const std::string& path) {
  const JsValue* named = request.get("operation");
  const std::string name = named == nullptr ? "put" : *named->string();
  const auto missing = [&](const char* member) -> Complaint {
    if (request.get(member) != nullptr) return std::nullopt;
    return path + " should have required property '" + member + "'";
  };
  if (name == "put") return missing("value");
  if (name == "delete") return missing("key");
  if (name == "update") {
    if (auto complaint = missing("fields")) return complaint;
  }
  return missing("filter");
}

Complaint one_request(const JsValue& value, const std::string& path) {
  if (auto complaint = object(value, path)) return complaint;
  if (value.get("bucket") == nullptr) return path + " should have required property 'bucket'";
  static constexpr Member kMembers[] = {{"bucket", nonempty_string}, {"operation", operation},
                                        {"key", nonempty_string},    {"value", object},
                                        {"filter", nonempty_string}, {"fields", object},
                                        {"options", options}};
  for (const Member& member : kMembers)
    if (const JsValue* given = value.get(member.name))
      if (auto complaint = member.check(*given, path + "." + member.name)) return complaint;
  return required_members(value, path);
}

}  // namespace

Complaint string(const JsValue& value, const std::string& path) {
  if (value.string() != nullptr) return std::nullopt;
  return path + " should be string";
}

Complaint nonempty_string(const JsValue& value, const std::string& path) {
  if (auto complaint = string(value, path)) return complaint;
  return value.string()->empty() ? path + " should NOT be shorter than 1 characters" : Complaint();
}

Complaint object(const JsValue& value, const std::string& path) {
  if (value.object() == nullptr) return path + " should be object";
  if (value.object()->contains("hasOwnProperty"))
    return path + ".hasOwnProperty should NOT be valid";
  return std::nullopt;
}

Complaint array(const JsValue& value, const std::string& path) {
  if (value.array() != nullptr) return std::nullopt;
  return path + " should be array";
}

Complaint nonnegative_integer(const JsValue& value, const std::string& path) {
  if (!is_integer(value)) return path + " should be integer";
  return *value.number() < 0 ? path + " should be >= 0" : Complaint();
}

Complaint options(const JsValue& value, const std::string& path) {
  if (auto complaint = object(value, path)) return complaint;
  for (const Member& member : kOptions)
    if (const JsValue* given = value.get(member.name))
      if (auto complaint = member.check(*given, path + "." + member.name)) return complaint;
  return std::nullopt;
}

Complaint requests(const JsValue& value, const std::string& path) {
  if (auto complaint = array(value, path)) return complaint;
  for (std::size_t i = 0; i < value.array()->size(); ++i)
    if (auto complaint = one_request((*value.array())[i], path + "[" + std::to_string(i) + "]"))
      return complaint;
  return std::nullopt;
}

}  // namespace objects::schema
