#include "backends/postgres/sql/column_text.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <limits>

namespace backends::postgres {
namespace {

using objects::Element;
using objects::Scalar;

double parse_number(std::string_view text) {
  if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (text == "Infinity") return std::numeric_limits<double>::infinity();
  if (text == "-Infinity") return -std::numeric_limits<double>::infinity();
  return std::strtod(std::string(text).c_str(), nullptr);
}

/// `["2020-01-01 00:00:00+00","2020-01-02 00:00:00+00")`, as a range of ISO dates.
std::string iso_range(std::string_view text) {
  if (text.size() < 3 || (text[0] != '[' && text[0] != '(')) return std::string(text);
  const std::size_t comma = text.find(',');
  if (comma == std::string_view::npos) return std::string(text);
  const auto bound = [](std::string_view part) {
    if (part.size() >= 2 && part.front() == '"') part = part.substr(1, part.size() - 2);
    const auto time = parse_timestamp(part);
    return time ? objects::to_iso(*time) : std::string(part);
  };
  return text[0] + bound(text.substr(1, comma - 1)) + "," +
         bound(text.substr(comma + 1, text.size() - comma - 2)) + text.back();
}

template <typename Range>
Range empty_range() {
  Range range;
  range.empty = true;
  return range;
}

std::optional<Element> parse_element(std::string_view text, Scalar scalar) {
  switch (scalar) {
    case Scalar::string:
    case Scalar::uuid: return Element(std::string(text));
    case Scalar::number: return Element(parse_number(text));
    case Scalar::boolean: return Element(text == "t");
    case Scalar::date:
      if (const auto time = parse_timestamp(text)) return Element(*time);
      return std::nullopt;
    case Scalar::numrange:
      if (text == "empty") return Element(empty_range<objects::NumberRange>());
      if (const auto parsed = objects::parse_number_range(text); parsed.range)
        return Element(*parsed.range);
      return std::nullopt;
    case Scalar::daterange:
      if (text == "empty") return Element(empty_range<objects::DateRange>());
      if (const auto parsed = objects::parse_date_range(iso_range(text)); parsed.range)
        return Element(*parsed.range);
      return std::nullopt;
    case Scalar::ip: {
      const auto address = objects::parse_ip(text);
      if (const auto network = address ? address : objects::parse_subnet(text))
        return Element(*network);
      return std::nullopt;
    }
    case Scalar::subnet:
      if (const auto network = objects::parse_subnet(text)) return Element(*network);
      return std::nullopt;
    case Scalar::mac:
      if (const auto mac = objects::parse_mac(text)) return Element(*mac);
      return std::nullopt;
  }
  return std::nullopt;
}

/// `{a,"b, c",NULL}`: an unquoted NULL is one. Bounds that don't begin at 1 stand before it:
/// `[0:1]={a,b}`.
objects::Elements parse_array(std::string_view text, Scalar scalar) {
  objects::Elements elements;
  std::size_t at = std::min(text.find('{'), text.size()) + 1;
  while (at + 1 < text.size()) {
    std::string element;
    const bool quoted = text[at] == '"';
    if (quoted) ++at;
    for (; at < text.size(); ++at) {
      const char c = text[at];
      if (quoted ? c == '"' : (c == ',' || c == '}')) break;
      if (c == '\\' && at + 1 < text.size()) ++at;
      element += text[at];
    }
    if (quoted) ++at;
    if (!quoted && element == "NULL")
      elements.emplace_back(std::nullopt);
    else
      elements.push_back(parse_element(element, scalar));
    ++at;  // the comma, or the end
  }
  return elements;
}

/// PostgreSQL's year as ISO 8601 writes it: of six digits and with a sign where four are too few,
/// and the year before the first as 0. False: there is no such year.
bool make_iso_year(std::string& iso, bool before_christ) {
  const std::size_t end = iso.find('-');
  if (end == 4 && !before_christ) return true;
  int year = 0;
  if (end == std::string::npos ||
      std::from_chars(iso.data(), iso.data() + end, year).ptr != iso.data() + end || year < 1)
    return false;
  if (before_christ) --year;
  std::string digits = std::to_string(year);
  digits.insert(0, digits.size() < 6 ? 6 - digits.size() : 0, '0');
  iso.replace(0, end, (before_christ && year > 0 ? "-" : "+") + digits);
  return true;
}

}  // namespace

std::optional<objects::Timestamp> parse_timestamp(std::string_view text) {
  if (text == "infinity" || text == "-infinity") return std::nullopt;
  std::string iso(text);
  const bool before_christ = iso.ends_with(" BC");
  if (before_christ) iso.erase(iso.size() - 3);
  if (const std::size_t blank = iso.find(' '); blank != std::string::npos) iso[blank] = 'T';
  if (!make_iso_year(iso, before_christ)) return std::nullopt;
  if (const std::size_t zone = iso.find_last_of('+'); zone != std::string::npos && zone > 10)
    iso.erase(zone);
  return objects::parse_loose_date(iso + "Z");
}

std::string_view sql_type(Scalar scalar) {
  switch (scalar) {
    case Scalar::string: return "text";
    case Scalar::number: return "numeric";
    case Scalar::boolean: return "boolean";
    case Scalar::date: return "timestamptz";
    case Scalar::ip: return "inet";
    case Scalar::mac: return "macaddr";
    case Scalar::subnet: return "cidr";
    case Scalar::uuid: return "uuid";
    case Scalar::numrange: return "numrange";
    case Scalar::daterange: return "tstzrange";
  }
  return "text";
}

std::string sql_type(objects::IndexType type) {
  return std::string(sql_type(type.scalar)) + (type.array ? "[]" : "");
}

objects::Column parse_column(std::string_view text, objects::IndexType type) {
  if (type.array) return parse_array(text, type.scalar);
  auto element = parse_element(text, type.scalar);
  return element ? objects::Column(*std::move(element)) : objects::Column();
}

}  // namespace backends::postgres
