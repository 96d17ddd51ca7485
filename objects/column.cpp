#include "objects/column.hpp"

#include <cmath>

namespace objects {
namespace {

std::weak_ordering compare_numbers(double a, double b) {
  const bool a_nan = std::isnan(a);
  const bool b_nan = std::isnan(b);
  if (a_nan || b_nan) return a_nan <=> b_nan;
  return a < b   ? std::weak_ordering::less
         : a > b ? std::weak_ordering::greater
                 : std::weak_ordering::equivalent;
}

std::string text_of(const Element& element, Scalar scalar) {
  if (const auto* text = std::get_if<std::string>(&element)) return *text;
  if (const auto* number = std::get_if<double>(&element)) return number_text(*number);
  if (const auto* boolean = std::get_if<bool>(&element)) return *boolean ? "true" : "false";
  if (const auto* time = std::get_if<Timestamp>(&element)) return to_iso(*time);
  if (const auto* range = std::get_if<NumberRange>(&element)) return to_string(*range);
  if (const auto* dates = std::get_if<DateRange>(&element)) return to_string(*dates);
  if (const auto* network = std::get_if<Network>(&element))
    return to_string(*network, scalar == Scalar::subnet);
  return to_string(std::get<Mac>(element));
}

/// `lossless`: numbers that JSON has not are kept as texts.
JsValue value_of(const Element& element, Scalar scalar, bool lossless) {
  if (const auto* number = std::get_if<double>(&element)) {
    if (std::isfinite(*number)) return *number;
    return lossless ? JsValue(number_text(*number)) : JsValue();
  }
  if (const auto* boolean = std::get_if<bool>(&element)) return *boolean;
  return text_of(element, scalar);
}

JsValue value_of(const Column& column, IndexType type, bool lossless) {
  if (const auto* element = std::get_if<Element>(&column))
    return value_of(*element, type.scalar, lossless);
  const auto* elements = std::get_if<Elements>(&column);
  if (elements == nullptr) return {};
  JsArray array;
  for (const auto& element : *elements)
    array.push_back(element ? value_of(*element, type.scalar, lossless) : JsValue());
  return array;
}

std::optional<Element> number_of(const JsValue& stored) {
  if (const double* number = stored.number()) return *number;
  const std::string* text = stored.string();
  if (text == nullptr) return std::nullopt;
  if (*text == "NaN") return std::nan("");
  return text->starts_with('-') ? -HUGE_VAL : HUGE_VAL;
}

template <typename Bound>
std::optional<Element> range_of(std::string_view text,
                                ParsedRange<Bound> (*parse)(std::string_view)) {
  if (text == "empty") {
    Range<Bound> range;
    range.empty = true;
    return range;
  }
  const auto parsed = parse(text);
  return parsed.range ? std::optional<Element>(*parsed.range) : std::nullopt;
}

template <typename T>
std::optional<Element> element_or_none(std::optional<T> value) {
  return value ? std::optional<Element>(*std::move(value)) : std::nullopt;
}

std::optional<Element> element_of(const JsValue& stored, Scalar scalar) {
  if (scalar == Scalar::number) return number_of(stored);
  if (scalar == Scalar::boolean)
    return stored.boolean() != nullptr ? std::optional<Element>(*stored.boolean()) : std::nullopt;
  const std::string* text = stored.string();
  if (text == nullptr) return std::nullopt;
  switch (scalar) {
    case Scalar::date: return element_or_none(parse_loose_date(*text));
    case Scalar::numrange: return range_of(*text, parse_number_range);
    case Scalar::daterange: return range_of(*text, parse_date_range);
    case Scalar::ip: return element_or_none(parse_ip(*text));
    case Scalar::subnet: return element_or_none(parse_subnet(*text));
    case Scalar::mac: return element_or_none(parse_mac(*text));
    case Scalar::string:
    case Scalar::uuid:
    case Scalar::number:
    case Scalar::boolean: break;
  }
  return *text;
}

std::string postgres_text(const Element& element, Scalar scalar) {
  if (const auto* number = std::get_if<double>(&element))
    return std::isfinite(*number) ? Decimal::of(*number).text() : number_text(*number);
  if (const auto* boolean = std::get_if<bool>(&element)) return *boolean ? "t" : "f";
  if (const auto* time = std::get_if<Timestamp>(&element)) return to_postgres(*time);
  if (const auto* dates = std::get_if<DateRange>(&element)) return to_postgres(*dates);
  return text_of(element, scalar);
}

bool needs_quotes(std::string_view text) {
  return text.empty() || text == "NULL" || text == "null" ||
         text.find_first_of("\",{}\\ \t\n") != std::string_view::npos;
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

}  // namespace

std::weak_ordering compare(const Element& a, const Element& b) {
  if (const auto* number = std::get_if<double>(&a))
    return compare_numbers(*number, std::get<double>(b));
  if (a == b) return std::weak_ordering::equivalent;
  if (const auto* text = std::get_if<std::string>(&a))
    return text->compare(std::get<std::string>(b)) <=> 0;
  if (const auto* boolean = std::get_if<bool>(&a)) return *boolean <=> std::get<bool>(b);
  if (const auto* time = std::get_if<Timestamp>(&a)) return *time <=> std::get<Timestamp>(b);
  if (const auto* range = std::get_if<NumberRange>(&a)) return *range <=> std::get<NumberRange>(b);
  if (const auto* dates = std::get_if<DateRange>(&a)) return *dates <=> std::get<DateRange>(b);
  if (const auto* network = std::get_if<Network>(&a)) return *network <=> std::get<Network>(b);
  return std::get<Mac>(a) <=> std::get<Mac>(b);
}

JsValue to_value(const Column& column, IndexType type) { return value_of(column, type, false); }
JsValue to_stored(const Column& column, IndexType type) { return value_of(column, type, true); }

Column column_of(const JsValue& stored, IndexType type) {
  if (stored.is_null()) return {};
  if (!type.array) {
    auto element = element_of(stored, type.scalar);
    return element ? Column(*std::move(element)) : Column();
  }
  if (stored.array() == nullptr) return {};
  Elements elements;
  for (const JsValue& element : *stored.array())
    elements.push_back(element_of(element, type.scalar));
  return elements;
}

std::string to_postgres(const Column& column, IndexType type) {
  if (const auto* element = std::get_if<Element>(&column))
    return postgres_text(*element, type.scalar);
  const auto* elements = std::get_if<Elements>(&column);
  if (elements == nullptr) return "null";
  std::string text = "{";
  for (const auto& element : *elements) {
    if (text.size() > 1) text += ',';
    const std::string one = element ? postgres_text(*element, type.scalar) : "NULL";
    text += element && needs_quotes(one) ? quoted(one) : one;
  }
  return text + "}";
}

}  // namespace objects
