#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "json/document.hpp"

/// moray's object model: values, buckets, index types, filters. A leaf: no socket, clock or store.
namespace objects {

class JsValue;

/// A JavaScript object's members in JavaScript's order: canonical array indices first, ascending,
/// then the others in order of insertion.
class JsObject {
 public:
  using Member = std::pair<std::string, JsValue>;

  [[nodiscard]] const JsValue* find(std::string_view name) const;
  [[nodiscard]] JsValue* find(std::string_view name);
  [[nodiscard]] bool contains(std::string_view name) const { return find(name) != nullptr; }
  /// Overwrites in place, or adds where JavaScript would.
  void set(std::string name, JsValue value);
  void erase(std::string_view name);

  [[nodiscard]] const std::vector<Member>& members() const { return members_; }
  [[nodiscard]] bool empty() const;
  [[nodiscard]] std::size_t size() const;
  bool operator==(const JsObject&) const;

 private:
  friend JsValue parse_value(json::Value);
  std::vector<Member> members_;
};

using JsArray = std::vector<JsValue>;

/// A value as JSON.parse makes it. Strings are UTF-8; an unpaired surrogate is kept as its three
/// bytes ED xx xx. An absent value (JavaScript's undefined) is a null pointer, never a JsValue.
class JsValue {
 public:
  JsValue() = default;  ///< null
  JsValue(std::nullptr_t) {}
  JsValue(bool value) : value_(value) {}
  JsValue(double value) : value_(value) {}
  JsValue(int value) : value_(static_cast<double>(value)) {}
  JsValue(std::int64_t value) : value_(static_cast<double>(value)) {}
  JsValue(std::string value) : value_(std::move(value)) {}
  JsValue(std::string_view value) : value_(std::string(value)) {}
  JsValue(const char* value) : value_(std::string(value)) {}
  JsValue(JsArray value) : value_(std::move(value)) {}
  JsValue(JsObject value) : value_(std::move(value)) {}

  [[nodiscard]] bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  [[nodiscard]] const bool* boolean() const { return std::get_if<bool>(&value_); }
  [[nodiscard]] const double* number() const { return std::get_if<double>(&value_); }
  [[nodiscard]] const std::string* string() const { return std::get_if<std::string>(&value_); }
  [[nodiscard]] const JsArray* array() const { return std::get_if<JsArray>(&value_); }
  [[nodiscard]] const JsObject* object() const { return std::get_if<JsObject>(&value_); }
  [[nodiscard]] JsObject* object() { return std::get_if<JsObject>(&value_); }

  /// JavaScript's truth.
  [[nodiscard]] bool truthy() const;
  /// The member of an object; null pointer where this is no object or has none.
  [[nodiscard]] const JsValue* get(std::string_view name) const;
  bool operator==(const JsValue&) const = default;

 private:
  std::variant<std::monostate, bool, double, std::string, JsArray, JsObject> value_;
};

inline bool JsObject::empty() const { return members_.empty(); }
inline std::size_t JsObject::size() const { return members_.size(); }

/// JSON.parse. The text's grammar has been checked by json::Document. O(bytes log members).
JsValue parse_value(json::Value value);

/// JSON.stringify: no white space, shortest numbers, `null` for what is no number.
std::string stringify(const JsValue& value);
void stringify(std::string& out, const JsValue& value);

/// JavaScript's String(): numbers shortest, `[object Object]`, arrays joined by commas.
std::string to_text(const JsValue& value);
/// JavaScript's Number.prototype.toString.
std::string number_text(double number);

}  // namespace objects
