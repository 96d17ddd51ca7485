// What a condition makes of a row: the store's part by SQL's rules, the rest as moray's re-check.
#include <algorithm>
#include <cmath>

#include "objects/condition.hpp"
#include "objects/convert.hpp"
#include "objects/text.hpp"

namespace objects {
namespace {

using Kind = Condition::Kind;

bool holds_nan(const Element& element) {
  const double* number = std::get_if<double>(&element);
  return number != nullptr && std::isnan(*number);
}

Truth truth(bool value) { return value ? Truth::yes : Truth::no; }
Truth negate(Truth value) {
  return value == Truth::null ? Truth::null : value == Truth::yes ? Truth::no : Truth::yes;
}

/// The column, or an internal one as a column.
Column column_of_target(const Target& target, const Row& row) {
  using Internal = Target::Internal;
  switch (target.internal) {
    case Internal::none: return row.columns[target.field];
    case Internal::id: return Element(static_cast<double>(row.id));
    case Internal::mtime: return Element(static_cast<double>(row.mtime_ms));
    case Internal::txn_snap:
      return row.txn_snap ? Column(Element(static_cast<double>(*row.txn_snap))) : Column();
    case Internal::key: return Element(row.key);
    case Internal::etag: return Element(row.etag);
  }
  return {};
}

/// The parts in order, the first at the beginning and the last at the end.
bool matches_parts(std::string_view text, const Filter& filter,
                   std::string (*fold)(std::string_view)) {
  const std::string initial = fold(filter.initial);
  const std::string final = fold(filter.final);
  if (!text.starts_with(initial)) return false;
  text.remove_prefix(initial.size());
  if (!text.ends_with(final)) return false;
  text.remove_suffix(final.size());
  for (const std::string& part : filter.any) {
    const std::string folded = fold(part);
    const std::size_t at = text.find(folded);
    if (at == std::string_view::npos) return false;
    text.remove_prefix(at + folded.size());
  }
  return true;
}

std::string same(std::string_view text) { return std::string(text); }

bool compare_matches(Kind kind, const Element& element, const Element& wanted) {
  const auto order = compare(element, wanted);
  if (kind == Kind::greater_or_equal) return order >= 0;
  if (kind == Kind::less_or_equal) return order <= 0;
  return order == 0;
}

/// As PostgreSQL has it: what is no finite number lies beyond every bound, a NaN above all numbers.
bool contains_number(const NumberRange& range, double number) {
  if (std::isfinite(number)) return range.contains(Decimal::of(number));
  return !range.empty && !(number < 0 ? range.lower : range.upper);
}

template <typename Bound>
bool range_matches(Kind kind, const Range<Bound>& range, const Element& wanted) {
  if (kind == Kind::overlaps) return range.overlaps(std::get<Range<Bound>>(wanted));
  if constexpr (std::is_same_v<Bound, Decimal>) {
    return contains_number(range, std::get<double>(wanted));
  } else {
    return range.contains(std::get<Bound>(wanted));
  }
}

bool ranges_match(Kind kind, const Element& element, const Element& wanted) {
  if (const auto* range = std::get_if<NumberRange>(&element))
    return range_matches(kind, *range, wanted);
  if (const auto* dates = std::get_if<DateRange>(&element))
    return range_matches(kind, *dates, wanted);
  if (const auto* number = std::get_if<double>(&element))
    return contains_number(std::get<NumberRange>(wanted), *number);
  if (const auto* time = std::get_if<Timestamp>(&element))
    return std::get<DateRange>(wanted).contains(*time);
  const auto& network = std::get<Network>(element);
  const auto& other = std::get<Network>(wanted);
  return kind == Kind::contains ? network.contains(other) : other.contains(network);
}

bool element_matches(const Condition& condition, const Element& element) {
  switch (condition.kind) {
    case Kind::equal:
    case Kind::greater_or_equal:
    case Kind::less_or_equal: return compare_matches(condition.kind, element, *condition.value);
    case Kind::overlaps:
    case Kind::contains:
    case Kind::within: return ranges_match(condition.kind, element, *condition.value);
    default: break;
  }
  const std::string* text = std::get_if<std::string>(&element);
  if (text == nullptr) return false;  // PostgreSQL has refused the operator
  switch (condition.kind) {
    case Kind::substring: return matches_parts(*text, condition.filter, same);
    case Kind::substring_ignoring_case:
      return matches_parts(text::lower_ascii(*text), condition.filter, text::lower_ascii);
    case Kind::equal_ignoring_case:
      return text::lower_ascii(*text) == text::lower_ascii(std::get<std::string>(*condition.value));
    default: return false;
  }
}

bool any_element(const Condition& condition, const Elements& elements) {
  return std::any_of(elements.begin(), elements.end(), [&](const std::optional<Element>& element) {
    return element && element_matches(condition, *element);
  });
}

/// Scalar comparisons carry IS NOT NULL; array ones and ranges do not.
Truth null_verdict(const Condition& condition) {
  const bool range = condition.kind == Kind::overlaps || condition.kind == Kind::contains ||
                     condition.kind == Kind::within;
  return condition.target.type.array || range ? Truth::null : Truth::no;
}

Truth decide_leaf(const Condition& condition, const Row& row) {
  const Column column = column_of_target(condition.target, row);
  if (condition.kind == Kind::present) return truth(!is_null(column));
  if (condition.value && holds_nan(*condition.value)) return Truth::no;  // not even a NULL matches
  if (is_null(column)) return null_verdict(condition);
  if (const auto* element = std::get_if<Element>(&column))
    return truth(element_matches(condition, *element));
  const Elements& elements = std::get<Elements>(column);
  if (any_element(condition, elements)) return Truth::yes;
  // ANY() is NULL where only a NULL could have matched; equality is @>, which never is.
  const bool by_any = condition.kind != Kind::equal && condition.kind != Kind::equal_ignoring_case;
  const bool any_null = std::any_of(elements.begin(), elements.end(),
                                    [](const auto& element) { return !element.has_value(); });
  return by_any && any_null ? Truth::null : Truth::no;
}

/// SQL's AND (`absorbing` = no) and OR (`absorbing` = yes) over `verdict` of each child.
template <typename Verdict>
Truth fold_children(const Condition& condition, Truth absorbing, Verdict verdict) {
  Truth result = negate(absorbing);
  for (const Condition& child : condition.children) {
    const std::optional<Truth> one = verdict(child);
    if (!one) continue;
    if (*one == absorbing) return absorbing;
    if (*one == Truth::null) result = Truth::null;
  }
  return result;
}

Truth absorbing(Kind kind) { return kind == Kind::conjunction ? Truth::no : Truth::yes; }

/// A member as moray's matcher finds it: by its name, else the first whose name differs in case.
const JsValue* member(const JsObject& object, const std::string& name) {
  if (const JsValue* found = object.find(name)) return found;
  const std::string lower = text::lower(name);
  for (const auto& [other, value] : object.members())
    if (text::lower(other) == lower) return &value;
  return nullptr;
}

/// JavaScript's `<=` and `>=` between a member and a filter's text.
bool js_compare(const JsValue& value, const std::string& wanted, bool greater) {
  if (const std::string* text = value.string()) {
    const int order = text::compare_utf16(*text, wanted);
    return greater ? order >= 0 : order <= 0;
  }
  double number = std::nan("");
  if (value.number() != nullptr) number = *value.number();
  if (value.boolean() != nullptr) number = *value.boolean() ? 1 : 0;
  const double other = parse_float(wanted);
  return greater ? number >= other : number <= other;
}

bool text_matches(const JsValue& value, const Filter& filter) {
  using FilterKind = Filter::Kind;
  if (filter.kind == FilterKind::equal)
    return value.string() != nullptr && *value.string() == filter.value;
  if (filter.kind == FilterKind::greater_or_equal) return js_compare(value, filter.value, true);
  if (filter.kind == FilterKind::less_or_equal) return js_compare(value, filter.value, false);
  if (filter.kind == FilterKind::substring) return matches_parts(to_text(value), filter, same);
  if (filter.split) return matches_parts(text::lower(to_text(value)), filter, text::lower);
  return value.string() != nullptr && text::lower(*value.string()) == text::lower(filter.value);
}

bool object_matches(const JsObject& object, const Filter& filter) {
  const JsValue* value = member(object, filter.attribute);
  if (value == nullptr || value->is_null()) return false;
  if (filter.kind == Filter::Kind::present) return true;
  if (const JsArray* array = value->array())
    return std::any_of(array->begin(), array->end(), [&](const JsValue& one) {
      return !one.is_null() && text_matches(one, filter);
    });
  return text_matches(*value, filter);
}

/// As `decide_leaf`, but that a NaN is in no relation to anything: PostgreSQL holds it to be the
/// greatest number, so that it counts such rows, and moray's matcher drops them.
Truth leaf_holds(const Condition& condition, const Row& row) {
  if (condition.kind == Kind::present || (condition.value && holds_nan(*condition.value)))
    return decide_leaf(condition, row);
  Column column = column_of_target(condition.target, row);
  if (const auto* element = std::get_if<Element>(&column);
      element != nullptr && holds_nan(*element))
    return Truth::no;
  if (auto* elements = std::get_if<Elements>(&column)) {
    std::erase_if(*elements, [](const std::optional<Element>& element) {
      return element && holds_nan(*element);
    });
    return truth(any_element(condition, *elements));
  }
  return decide_leaf(condition, row);
}

Truth whole(const Condition& condition, const Row& row, const JsObject& object) {
  switch (condition.kind) {
    case Kind::conjunction:
    case Kind::disjunction:
      return fold_children(condition, absorbing(condition.kind), [&](const Condition& child) {
        return std::optional(whole(child, row, object));
      });
    case Kind::negation: return negate(whole(condition.children.front(), row, object));
    case Kind::unknown: return truth(object_matches(object, condition.filter));
    default: return leaf_holds(condition, row);
  }
}

}  // namespace

Truth decide(const Condition& condition, const Row& row) {
  switch (condition.kind) {
    case Kind::conjunction:
    case Kind::disjunction:
      return fold_children(condition, absorbing(condition.kind), [&](const Condition& child) {
        return child.decided ? std::optional(decide(child, row)) : std::nullopt;
      });
    case Kind::negation: return negate(decide(condition.children.front(), row));
    case Kind::unknown: return Truth::yes;
    default: return decide_leaf(condition, row);
  }
}

bool holds(const Condition& condition, const Row& row, const JsObject& object) {
  return whole(condition, row, object) == Truth::yes;
}

}  // namespace objects
