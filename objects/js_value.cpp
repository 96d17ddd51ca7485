#include "objects/js_value.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <unordered_map>

#include "json/text.hpp"
#include "objects/text.hpp"

namespace objects {
namespace {

/// A canonical array index: "0" to "4294967294" without leading zeros.
std::optional<std::uint32_t> array_index(std::string_view name) {
  if (name.empty() || name.size() > 10 || (name.size() > 1 && name.front() == '0'))
    return std::nullopt;
  std::uint32_t index = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), index);
  if (error != std::errc{} || end != name.data() + name.size() || index == 0xffffffff)
    return std::nullopt;
  return index;
}

bool comes_before(const JsObject::Member& a, const JsObject::Member& b) {
  const auto first = array_index(a.first);
  const auto second = array_index(b.first);
  if (first && second) return *first < *second;
  return first.has_value() && !second.has_value();
}

std::uint32_t hex4(std::string_view text) {
  std::uint32_t number = 0;
  for (const char c : text.substr(0, 4))
    number = number << 4 | static_cast<std::uint32_t>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
  return number;
}

/// Like json::unescape, but an unpaired surrogate is kept.
std::string unescaped(std::string_view raw) {
  std::string out;
  while (!raw.empty()) {
    const std::size_t plain = raw.find('\\');
    out.append(raw.substr(0, plain));
    if (plain == std::string_view::npos) break;
    const char escape = raw[plain + 1];
    raw.remove_prefix(plain + 2);
    if (escape != 'u') {
      const std::string_view from = "bfnrt";
      const std::size_t at = from.find(escape);
      out += at == std::string_view::npos ? escape : "\b\f\n\r\t"[at];
      continue;
    }
    std::uint32_t unit = hex4(raw);
    raw.remove_prefix(4);
    if (unit >= 0xd800 && unit < 0xdc00 && raw.size() >= 6 && raw[0] == '\\' && raw[1] == 'u') {
      const std::uint32_t low = hex4(raw.substr(2));
      if (low >= 0xdc00 && low < 0xe000) {
        unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
        raw.remove_prefix(6);
      }
    }
    text::append_code_point(out, unit);
  }
  return out;
}

/// Whether the three bytes are an unpaired surrogate kept in UTF-8's manner.
bool at_surrogate(std::string_view text, std::size_t at) {
  return static_cast<unsigned char>(text[at]) == 0xed && at + 2 < text.size() &&
         static_cast<unsigned char>(text[at + 1]) >= 0xa0;
}

void append_string(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  std::size_t plain = 0;  // from here on nothing is changed
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool escaped = byte < 0x20 || byte == '"' || byte == '\\';
    if (!escaped && !at_surrogate(text, i)) continue;
    out.append(text, plain, i - plain);
    if (escaped) {
      json::append_escape(out, text[i]);
    } else {
      const unsigned unit = 0xd000u | (static_cast<unsigned char>(text[i + 1]) & 0x3fu) << 6 |
                            (static_cast<unsigned char>(text[i + 2]) & 0x3fu);
      out += "\\u";
      for (const int shift : {12, 8, 4, 0}) out += kHex[unit >> shift & 15];
      i += 2;
    }
    plain = i + 1;
  }
  out.append(text, plain);
  out += '"';
}

}  // namespace

const JsValue* JsObject::find(std::string_view name) const {
  for (const Member& member : members_)
    if (member.first == name) return &member.second;
  return nullptr;
}

JsValue* JsObject::find(std::string_view name) {
  return const_cast<JsValue*>(std::as_const(*this).find(name));
}

void JsObject::set(std::string name, JsValue value) {
  if (JsValue* found = find(name)) {
    *found = std::move(value);
    return;
  }
  Member member(std::move(name), std::move(value));
  const auto at = array_index(member.first)
                      ? std::upper_bound(members_.begin(), members_.end(), member, comes_before)
                      : members_.end();
  members_.insert(at, std::move(member));
}

void JsObject::erase(std::string_view name) {
  std::erase_if(members_, [&](const Member& member) { return member.first == name; });
}

bool JsObject::operator==(const JsObject& other) const { return members_ == other.members_; }

bool JsValue::truthy() const {
  if (is_null()) return false;
  if (const bool* value = boolean()) return *value;
  if (const double* value = number()) return *value != 0 && !std::isnan(*value);
  if (const std::string* value = string()) return !value->empty();
  return true;
}

const JsValue* JsValue::get(std::string_view name) const {
  const JsObject* members = object();
  return members == nullptr ? nullptr : members->find(name);
}

JsValue parse_value(json::Value value) {
  switch (value.type()) {
    case json::Type::null: return {};
    case json::Type::boolean: return value.is_true();
    case json::Type::number: return std::strtod(std::string(value.text()).c_str(), nullptr);
    case json::Type::string: return unescaped(value.raw_string());
    case json::Type::array: {
      JsArray array;
      for (const json::Value element : value.elements()) array.push_back(parse_value(element));
      return array;
    }
    case json::Type::object: break;
  }
  JsObject object;
  std::unordered_map<std::string, std::size_t> places;  // doubled members: first place, last value
  for (const json::Member member : value.members()) {
    std::string name = unescaped(member.name.raw_string());
    const auto [place, fresh] = places.emplace(name, object.members_.size());
    if (fresh)
      object.members_.emplace_back(std::move(name), parse_value(member.value));
    else
      object.members_[place->second].second = parse_value(member.value);
  }
  std::stable_sort(object.members_.begin(), object.members_.end(), comes_before);
  return object;
}

void stringify(std::string& out, const JsValue& value) {
  if (const bool* boolean = value.boolean()) {
    out += *boolean ? "true" : "false";
  } else if (const double* number = value.number()) {
    out += std::isfinite(*number) ? number_text(*number) : "null";
  } else if (const std::string* text = value.string()) {
    append_string(out, *text);
  } else if (const JsArray* array = value.array()) {
    out += '[';
    for (std::size_t i = 0; i < array->size(); ++i) {
      if (i > 0) out += ',';
      stringify(out, (*array)[i]);
    }
    out += ']';
  } else if (const JsObject* object = value.object()) {
    out += '{';
    bool first = true;
    for (const auto& [name, member] : object->members()) {
      if (!first) out += ',';
      first = false;
      append_string(out, name);
      out += ':';
      stringify(out, member);
    }
    out += '}';
  } else {
    out += "null";
  }
}

std::string stringify(const JsValue& value) {
  std::string out;
  stringify(out, value);
  return out;
}

std::string to_text(const JsValue& value) {
  if (value.is_null()) return "null";
  if (const bool* boolean = value.boolean()) return *boolean ? "true" : "false";
  if (const double* number = value.number()) return number_text(*number);
  if (const std::string* text = value.string()) return *text;
  if (value.object() != nullptr) return "[object Object]";
  std::string joined;
  const JsArray& array = *value.array();
  for (std::size_t i = 0; i < array.size(); ++i) {
    if (i > 0) joined += ',';
    if (!array[i].is_null()) joined += to_text(array[i]);
  }
  return joined;
}

std::string number_text(double number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number < 0 ? "-Infinity" : "Infinity";
  if (number == 0) return "0";
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, std::fabs(number),
                                 std::chars_format::scientific)
                       .ptr;
  const std::string_view text(buffer, static_cast<std::size_t>(end - buffer));
  const std::size_t e = text.find('e');
  std::string digits(text.substr(0, e));
  std::erase(digits, '.');
  int exponent = 0;  // of the first digit
  const char* from = text.data() + e + (text[e + 1] == '+' ? 2 : 1);
  std::from_chars(from, end, exponent);

  const auto count = static_cast<int>(digits.size());
  const int point = exponent + 1;  // ECMAScript's n
  std::string result;
  if (count <= point && point <= 21) {
    result = digits + std::string(static_cast<std::size_t>(point - count), '0');
  } else if (0 < point && point <= 21) {
    result = digits.substr(0, static_cast<std::size_t>(point)) + "." +
             digits.substr(static_cast<std::size_t>(point));
  } else if (-6 < point && point <= 0) {
    result = "0." + std::string(static_cast<std::size_t>(-point), '0') + digits;
  } else {
    result = digits.substr(0, 1);
    if (count > 1) result += "." + digits.substr(1);
    result += exponent < 0 ? "e-" : "e+";
    result += std::to_string(std::abs(exponent));
  }
  return (number < 0 ? "-" : "") + result;
}

}  // namespace objects
