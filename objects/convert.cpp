#include "objects/convert.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "objects/errors.hpp"
#include "objects/text.hpp"

namespace objects {
namespace {

/// A conversion's outcome: a value, moray's refusal (no value, no error), or PostgreSQL's.
struct Converted {
  std::optional<Element> element;
  std::optional<Error> error;
};

Converted refused() { return {}; }
template <typename T>
Converted from(std::optional<T> value) {
  if (!value) return refused();
  return {Element(*std::move(value)), std::nullopt};
}

Converted convert_string(const JsValue& value) {
  std::string text = text::well_formed(to_text(value));
  if (text.find('\0') != std::string::npos)
    return {std::nullopt, errors::database("invalid byte sequence for encoding \"UTF8\": 0x00")};
  return {Element(std::move(text)), std::nullopt};
}

Converted convert_boolean(const JsValue& value) {
  const std::string text = text::lower_ascii(to_text(value));
  if (text == "true") return {Element(true), std::nullopt};
  if (text == "false") return {Element(false), std::nullopt};
  return refused();
}

Converted convert_date(const JsValue& value) {
  const std::string* text = value.string();
  if (text == nullptr) return refused();
  const auto time = parse_date(*text);
  if (time && text->starts_with('-'))
    return {std::nullopt,
            errors::database("invalid input syntax for type timestamp with time zone: \"" +
                             to_iso(*time) + "\"")};
  return from(time);
}

template <typename Bound>
Converted convert_range(const JsValue& value, ParsedRange<Bound> (*parse)(std::string_view)) {
  const std::string* text = value.string();
  if (text == nullptr) return refused();
  const auto parsed = parse(*text);
  if (!parsed.range && parsed.fault == RangeFault::order)
    return {std::nullopt,
            errors::database("range lower bound must be less than or equal to range upper bound")};
  return from(parsed.range);
}

/// As `convert_range`; moray leaves it to PostgreSQL to refuse what is before its first day.
Converted convert_date_range(const JsValue& value) {
  constexpr Timestamp kFirst{-210'866'803'200'000};  // 4714-11-24 BC, midnight
  Converted converted = convert_range(value, parse_date_range);
  if (!converted.element) return converted;
  const auto& range = std::get<DateRange>(*converted.element);
  for (const auto& bound : {range.lower, range.upper})
    if (bound && *bound < kFirst)
      return {std::nullopt,
              errors::database("timestamp out of range: \"" + to_postgres(*bound) + "\"")};
  return converted;
}

Converted convert_ip(const JsValue& value) {
  if (const double* number = value.number()) return from(ip_of_number(*number));
  return value.string() != nullptr ? from(parse_ip(*value.string())) : refused();
}

Converted convert_mac(const JsValue& value) {
  if (const double* number = value.number()) return from(mac_of_number(*number));
  return value.string() != nullptr ? from(parse_mac(*value.string())) : refused();
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const bool hex = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
    if (dash ? text[i] != '-' : !hex) return false;
  }
  return true;
}

Converted convert_element(Scalar scalar, const JsValue& value) {
  switch (scalar) {
    case Scalar::string: return convert_string(value);
    case Scalar::number: {
      const double* number = value.number();
      return {Element(number != nullptr ? *number : parse_float(to_text(value))), std::nullopt};
    }
    case Scalar::boolean: return convert_boolean(value);
    case Scalar::date: return convert_date(value);
    case Scalar::numrange: return convert_range(value, parse_number_range);
    case Scalar::daterange: return convert_date_range(value);
    case Scalar::ip: return convert_ip(value);
    case Scalar::mac: return convert_mac(value);
    case Scalar::subnet:
      return value.string() != nullptr ? from(parse_subnet(*value.string())) : refused();
    case Scalar::uuid:
      if (value.string() == nullptr || !is_uuid(*value.string())) return refused();
      return {Element(*value.string()), std::nullopt};
  }
  return refused();
}

/// How moray's array literals come back from PostgreSQL: it quotes an element only where it has
/// one of `" , { } \`, so that blanks around others are lost, NULL is read as none, and a blank
/// one that stands alone leaves an empty array. Texts that it could not store at all are kept.
void add_text_element(Elements& elements, std::string text, bool alone) {
  if (text.find_first_of("\",{}\\") != std::string::npos) {
    elements.emplace_back(std::move(text));
    return;
  }
  const std::size_t first = text.find_first_not_of(" \t\n\v\f\r");
  if (first == std::string::npos) {
    if (!alone) elements.emplace_back(std::move(text));
    return;
  }
  text = text.substr(first, text.find_last_not_of(" \t\n\v\f\r") - first + 1);
  if (text::lower_ascii(text) == "null")
    elements.emplace_back(std::nullopt);
  else
    elements.emplace_back(std::move(text));
}

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

}  // namespace

Result<Column> convert(const std::string& field, IndexType type, const JsValue& value) {
  if (value.is_null()) return Column();
  const auto failure = [&](const Converted& converted) {
    if (converted.error) return *converted.error;
    return errors::invalid_index_type(field, std::string(to_string(type.scalar)));
  };
  if (!type.array) {
    Converted converted = convert_element(type.scalar, value);
    if (!converted.element) return failure(converted);
    return Column(*std::move(converted.element));
  }
  const JsArray one = {value};
  const JsArray& array = value.array() != nullptr ? *value.array() : one;
  Elements elements;
  for (const JsValue& member : array) {
    if (member.is_null()) {
      elements.emplace_back(std::nullopt);
      continue;
    }
    Converted converted = convert_element(type.scalar, member);
    if (!converted.element) return failure(converted);
    if (type.scalar == Scalar::string)
      add_text_element(elements, std::get<std::string>(*std::move(converted.element)),
                       array.size() == 1);
    else
      elements.push_back(std::move(converted.element));
  }
  return Column(std::move(elements));
}

std::optional<Element> convert_filter_value(Scalar scalar, const std::string& value) {
  return convert_element(scalar, value).element;
}

double parse_float(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  std::size_t end = !text.empty() && (text.front() == '+' || text.front() == '-') ? 1 : 0;
  const double sign = end == 1 && text.front() == '-' ? -1 : 1;
  if (text.substr(end).starts_with("Infinity")) return sign * HUGE_VAL;
  const auto digits = [&text](std::size_t at) {
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
    return at;
  };
  const std::size_t whole = digits(end);
  std::size_t count = whole - end;
  end = whole;
  if (end < text.size() && text[end] == '.') {
    const std::size_t fraction = digits(end + 1);
    count += fraction - end - 1;
    if (fraction > end + 1 || count > 0) end = fraction;
  }
  if (count == 0) return std::nan("");
  if (end < text.size() && (text[end] == 'e' || text[end] == 'E')) {
    const std::size_t sign_bytes =
        end + 1 < text.size() && (text[end + 1] == '+' || text[end + 1] == '-') ? 1 : 0;
    const std::size_t exponent = digits(end + 1 + sign_bytes);
    if (exponent > end + 1 + sign_bytes) end = exponent;
  }
  return std::strtod(std::string(text.substr(0, end)).c_str(), nullptr);
}

Result<std::optional<std::int64_t>> convert_vnode(const JsObject& value) {
  const JsValue* vnode = value.find("vnode");
  if (vnode == nullptr || vnode->is_null()) return std::optional<std::int64_t>();
  std::string text =
      vnode->object() != nullptr || vnode->array() != nullptr ? stringify(*vnode) : to_text(*vnode);
  std::string_view digits = text;
  while (!digits.empty() && is_space(digits.front())) digits.remove_prefix(1);
  while (!digits.empty() && is_space(digits.back())) digits.remove_suffix(1);
  if (digits.starts_with('+')) digits.remove_prefix(1);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error == std::errc::result_out_of_range && end == digits.data() + digits.size())
    return errors::database("value \"" + text + "\" is out of range for type bigint");
  if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size())
    return errors::database("invalid input syntax for type bigint: \"" + text + "\"");
  return std::optional(number);
}

}  // namespace objects
