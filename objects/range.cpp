#include "objects/range.hpp"

namespace objects {
namespace {

template <typename Bound, typename ParseBound>
ParsedRange<Bound> parse_range(std::string_view text, ParseBound parse_bound) {
  Range<Bound> range;
  if (text.size() < 3) return {};
  const char open = text.front();
  const char close = text.back();
  if ((open != '[' && open != '(') || (close != ']' && close != ')')) return {};
  const std::string_view inner = text.substr(1, text.size() - 2);
  const std::size_t comma = inner.find(',');
  if (comma == std::string_view::npos) return {};
  const auto read = [&](std::string_view bound, std::optional<Bound>& out) {
    if (bound.empty()) return true;
    out = parse_bound(bound);
    return out.has_value();
  };
  if (!read(inner.substr(0, comma), range.lower) || !read(inner.substr(comma + 1), range.upper))
    return {};
  range.lower_included = open == '[' && range.lower;
  range.upper_included = close == ']' && range.upper;
  if (range.lower && range.upper) {
    if (*range.upper < *range.lower) return {std::nullopt, RangeFault::order};
    if (*range.lower == *range.upper && !(range.lower_included && range.upper_included)) {
      range = {};
      range.empty = true;
    }
  }
  return {range, RangeFault::form};
}

template <typename Bound, typename Print>
std::string print(const Range<Bound>& range, Print print_bound) {
  if (range.empty) return "empty";
  std::string text = range.lower_included ? "[" : "(";
  if (range.lower) text += print_bound(*range.lower);
  text += ',';
  if (range.upper) text += print_bound(*range.upper);
  return text + (range.upper_included ? "]" : ")");
}

}  // namespace

ParsedRange<Decimal> parse_number_range(std::string_view text) {
  return parse_range<Decimal>(text, [](std::string_view bound) { return Decimal::parse(bound); });
}

ParsedRange<Timestamp> parse_date_range(std::string_view text) {
  return parse_range<Timestamp>(text,
                                [](std::string_view bound) { return parse_loose_date(bound); });
}

std::string to_string(const NumberRange& range) {
  return print(range, [](const Decimal& bound) { return bound.text(); });
}
std::string to_string(const DateRange& range) {
  return print(range, [](Timestamp bound) { return to_iso(bound); });
}
std::string to_postgres(const DateRange& range) {
  return print(range, [](Timestamp bound) { return "\"" + to_postgres(bound) + "\""; });
}

}  // namespace objects
