#include "backends/postgres/sql/sql_value.hpp"

#include <charconv>
#include <cmath>
#include <cstdlib>

#include "backends/postgres/sql/column_text.hpp"
#include "json/document.hpp"

namespace backends::postgres {
namespace {

using objects::JsArray;
using objects::JsObject;
using objects::JsValue;

// PostgreSQL's own numbers for its types (pg_type.dat); they never change.
enum Type : Oid {
  kBool = 16,
  kBytea = 17,
  kInt8 = 20,
  kInt2 = 21,
  kInt4 = 23,
  kOid = 26,
  kJson = 114,
  kFloat4 = 700,
  kFloat8 = 701,
  kDate = 1082,
  kTimestamp = 1114,
  kTimestamptz = 1184,
  kInterval = 1186,
  kNumeric = 1700,
  kVoid = 2278,
  kJsonb = 3802,
  kTstzrange = 3910,
};

/// The type of an array type's elements; 0: it is none that is known.
Oid element_of(Oid array) {
  switch (array) {
    case 1000: return kBool;
    case 1005: return kInt2;
    case 1007: return kInt4;
    case 1016: return kInt8;
    case 1021: return kFloat4;
    case 1022: return kFloat8;
    case 1028: return kOid;
    case 1115: return kTimestamp;
    case 1182: return kDate;
    case 1185: return kTimestamptz;
    case 1231: return kNumeric;
    case 651:
    case 1009:
    case 1014:
    case 1015:
    case 1040:
    case 1041:
    case 2951:
    case 1003: return 25;  // shown as texts
    default: return 0;
  }
}

JsValue number_of(std::string_view text) {
  if (text == "NaN" || text == "Infinity" || text == "-Infinity") return {};
  return std::strtod(std::string(text).c_str(), nullptr);
}

JsValue time_of(std::string_view text) {
  const std::string whole = text.size() == 10 ? std::string(text) + " 00:00:00" : std::string(text);
  const auto time = parse_timestamp(whole);
  return time ? JsValue(objects::to_iso(*time)) : JsValue(text);
}

/// `\x00ff`.
JsValue bytes_of(std::string_view text) {
  JsArray bytes;
  for (std::size_t at = 2; at + 1 < text.size(); at += 2) {
    int byte = 0;
    std::from_chars(text.data() + at, text.data() + at + 2, byte, 16);
    bytes.emplace_back(byte);
  }
  JsObject buffer;
  buffer.set("type", "Buffer");
  buffer.set("data", std::move(bytes));
  return buffer;
}

/// `1 year 2 mons 3 days -04:05:06.789`: its parts that are not zero.
JsValue interval_of(std::string_view text) {
  JsObject parts;
  const auto set = [&](const char* name, double value) {
    if (value != 0) parts.set(name, value);
  };
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string word(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (word.find(':') != std::string::npos) {
      const double sign = word.front() == '-' ? -1 : 1;
      int hours = 0, minutes = 0;
      double seconds = 0;
      std::sscanf(word.c_str() + (word.front() == '-' || word.front() == '+' ? 1 : 0), "%d:%d:%lf",
                  &hours, &minutes, &seconds);
      set("hours", sign * hours);
      set("minutes", sign * minutes);
      set("seconds", sign * std::floor(seconds));
      set("milliseconds", sign * std::round((seconds - std::floor(seconds)) * 1e6) / 1e3);
      continue;
    }
    const double value = std::strtod(word.c_str(), nullptr);
    const std::size_t unit_end = std::min(text.find(' '), text.size());
    const std::string_view unit = text.substr(0, unit_end);
    if (unit.starts_with("year")) set("years", value);
    if (unit.starts_with("mon")) set("months", value);
    if (unit.starts_with("day")) set("days", value);
    text.remove_prefix(std::min(unit_end + 1, text.size()));
  }
  return parts;
}

JsValue value_of(std::string_view text, Oid type);

/// `{a,"b, c",NULL,{d}}` from its first brace, which goes with all up to the last one: an unquoted
/// NULL is one. A server nests arrays six times at most.
JsArray array_of(std::string_view& text, Oid element) {
  JsArray array;
  text.remove_prefix(1);
  while (!text.empty() && text.front() != '}') {
    if (text.front() == ',') {
      text.remove_prefix(1);
      continue;
    }
    if (text.front() == '{') {
      array.emplace_back(array_of(text, element));
      continue;
    }
    const bool quoted = text.front() == '"';
    if (quoted) text.remove_prefix(1);
    std::string each;
    while (!text.empty() &&
           (quoted ? text.front() != '"' : text.front() != ',' && text.front() != '}')) {
      if (text.front() == '\\' && text.size() > 1) text.remove_prefix(1);
      each += text.front();
      text.remove_prefix(1);
    }
    if (quoted && !text.empty()) text.remove_prefix(1);
    array.push_back(!quoted && each == "NULL" ? JsValue() : value_of(each, element));
  }
  if (!text.empty()) text.remove_prefix(1);
  return array;
}

JsValue value_of(std::string_view text, Oid type) {
  switch (type) {
    case kBool: return text == "t";
    case kInt2:
    case kInt4:
    case kOid:
    case kFloat4:
    case kFloat8:
    case kNumeric: return number_of(text);
    case kTimestamptz:
    case kTimestamp:
    case kDate: return time_of(text);
    case kBytea: return bytes_of(text);
    case kInterval: return interval_of(text);
    case kVoid: return "";
    case kTstzrange: {
      const objects::Column range = parse_column(text, {objects::Scalar::daterange, false});
      return objects::to_value(range, {objects::Scalar::daterange, false});
    }
    case kJson:
    case kJsonb: {
      json::Document document;
      return document.parse(text) ? JsValue(text) : objects::parse_value(document.root());
    }
    default: break;
  }
  if (const Oid element = element_of(type); element != 0) {
    // Bounds that don't begin at 1 stand before it: `[0:1]={a,b}`.
    if (text.starts_with("[")) text.remove_prefix(std::min(text.find('=') + 1, text.size()));
    if (text.starts_with("{")) return array_of(text, element);
  }
  return JsValue(text);
}

}  // namespace

JsObject sql_row(const Rows& rows, int row) {
  JsObject object;
  for (int column = 0; column < rows.columns(); ++column)
    object.set(
        std::string(rows.name(column)),
        rows.null(row, column) ? JsValue() : value_of(rows.text(row, column), rows.type(column)));
  return object;
}

/// Arrays become array literals, whose elements stay what they are; objects their JSON.
std::optional<std::string> sql_parameter(const JsValue& value) {
  if (value.is_null()) return std::nullopt;
  if (const std::string* text = value.string()) return *text;
  const JsArray* array = value.array();
  if (array == nullptr) return objects::stringify(value);
  std::string literal = "{";
  for (const JsValue& each : *array) {
    if (literal.size() > 1) literal += ',';
    if (each.is_null()) {
      literal += "NULL";
    } else if (each.array() != nullptr) {
      literal += *sql_parameter(each);
    } else {
      const std::string element = *sql_parameter(each);
      literal += '"';
      for (const char c : element) {
        if (c == '"' || c == '\\') literal += '\\';
        literal += c;
      }
      literal += '"';
    }
  }
  return literal + "}";
}

}  // namespace backends::postgres
