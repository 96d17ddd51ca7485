#include "objects/condition.hpp"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <unordered_set>

#include "objects/convert.hpp"
#include "objects/errors.hpp"
#include "objects/text.hpp"

namespace objects {
namespace {

using Kind = Condition::Kind;

Filter without_asterisks(Filter filter) {
  filter.split = false;
  return filter;
}

/// A substring filter's parts as PostgreSQL would get them; nullopt where it would take none of
/// them: no text of its own has a zero byte.
std::optional<Filter> with_stored_parts(Filter filter) {
  bool zero = false;
  const auto convert_part = [&](std::string& part) {
    zero |= part.find('\0') != std::string::npos;
    part = text::well_formed(part);
  };
  convert_part(filter.initial);
  std::for_each(filter.any.begin(), filter.any.end(), convert_part);
  convert_part(filter.final);
  return zero ? std::nullopt : std::optional(std::move(filter));
}

/// Whether it compares with a number that is none.
bool is_nan(const Element& element) {
  const double* number = std::get_if<double>(&element);
  return number != nullptr && std::isnan(*number);
}

std::optional<Target> internal_target(std::string_view name) {
  using Internal = Target::Internal;
  constexpr IndexType kNumber = {Scalar::number, false};
  constexpr IndexType kText = {Scalar::string, false};
  if (name == "_id") return Target{Internal::id, 0, kNumber};
  if (name == "_mtime") return Target{Internal::mtime, 0, kNumber};
  if (name == "_txn_snap") return Target{Internal::txn_snap, 0, kNumber};
  if (name == "_key") return Target{Internal::key, 0, kText};
  if (name == "_etag") return Target{Internal::etag, 0, kText};
  return std::nullopt;
}

class Compiler {
 public:
  Compiler(const Bucket& bucket, Purpose purpose) : bucket_(bucket), purpose_(purpose) {}

  Result<Condition> compile(const Filter& filter) {
    switch (filter.kind) {
      case Filter::Kind::conjunction: return list(filter, Kind::conjunction);
      case Filter::Kind::disjunction: return list(filter, Kind::disjunction);
      case Filter::Kind::negation: return negation(filter);
      case Filter::Kind::approximate: return errors::plain("approx filters not allowed");
      default: break;
    }
    if (filter.attribute == "_idx") return errors::plain("filtering on \"_idx\" is not allowed");
    switch (filter.kind) {
      case Filter::Kind::present: return presence(filter);
      case Filter::Kind::substring: return substring(filter, Kind::substring);
      case Filter::Kind::extensible: return extensible(filter);
      case Filter::Kind::greater_or_equal: return comparison(filter, Kind::greater_or_equal);
      case Filter::Kind::less_or_equal: return comparison(filter, Kind::less_or_equal);
      default: return comparison(filter, Kind::equal);
    }
  }

  Failed at_execution;

 private:
  [[nodiscard]] Error invalid(const Filter& filter) const {
    return errors::invalid_query(to_string(filter));
  }
  [[nodiscard]] Error not_indexed(const Filter& filter) const {
    return errors::not_indexed(bucket_.name, to_string(filter));
  }

  [[nodiscard]] std::optional<Target> target(std::string_view name) const {
    if (auto internal = internal_target(name)) return internal;
    const IndexField* field = bucket_.usable_field(name);
    if (field == nullptr) return std::nullopt;
    return Target{Target::Internal::none, static_cast<std::size_t>(field - bucket_.fields.data()),
                  field->type};
  }

  static Condition unknown(const Filter& filter) {
    Condition condition;
    condition.filter = filter;
    return condition;
  }
  static Condition leaf(Kind kind, const Target& target, const Filter& filter) {
    Condition condition;
    condition.kind = kind;
    condition.target = target;
    condition.filter = filter;
    condition.decided = condition.exact = true;
    return condition;
  }

  Result<Condition> list(const Filter& filter, Kind kind) {
    Condition condition;
    condition.kind = kind;
    condition.exact = true;
    for (const Filter& child : filter.children) {
      auto compiled = compile(child);
      if (!compiled) return compiled.error();
      if (!compiled->decided && kind == Kind::disjunction) return not_indexed(filter);
      condition.decided |= compiled->decided;
      condition.exact &= compiled->exact;
      condition.children.push_back(*std::move(compiled));
    }
    if (!condition.decided) return not_indexed(filter);
    return condition;
  }

  Result<Condition> negation(const Filter& filter) {
    auto child = compile(filter.children.front());
    if (!child) return child.error();
    Condition condition;
    condition.kind = Kind::negation;
    // The negation of a part would leave rows out: only a child decided whole can be negated.
    condition.decided = condition.exact = child->exact;
    condition.children.push_back(*std::move(child));
    return condition;
  }

  Result<Condition> presence(const Filter& filter) {
    // Each row that is found has a count, as it has a key.
    const auto found =
        filter.attribute == "_count" ? internal_target("_key") : target(filter.attribute);
    if (!found) return unknown(filter);
    Condition condition = leaf(Kind::present, *found, filter);
    // What every row has chooses none: alone it is no query, and beside others nothing to ask for.
    condition.decided =
        found->internal == Target::Internal::none || found->internal == Target::Internal::txn_snap;
    return condition;
  }

  Result<Condition> comparison(const Filter& filter, Kind kind) {
    const auto found = target(filter.attribute);
    if (!found) return unknown(filter);
    auto value = convert_filter_value(found->type.scalar, filter.value);
    if (!value || (purpose_ == Purpose::write && is_nan(*value))) return invalid(filter);
    Condition condition = leaf(kind, *found, filter);
    condition.value = std::move(value);
    return condition;
  }

  Result<Condition> substring(const Filter& filter, Kind kind) {
    const auto found = target(filter.attribute);
    if (!found) return unknown(filter);
    if (found->type.array) return not_indexed(filter);
    if (found->type.scalar == Scalar::number) {
      wrong_operator("numeric ~~ unknown");
    } else if (found->type.scalar != Scalar::string) {
      return invalid(filter);
    }
    const auto stored = with_stored_parts(filter);
    if (!stored) return invalid(filter);
    return leaf(kind, *found, *stored);
  }

  Result<Condition> extensible(const Filter& filter) {
    const std::string rule = filter.rule.value_or("");
    if (rule == "caseIgnoreMatch") return ignoring_case(filter);
    if (rule == "caseIgnoreSubstringsMatch")
      return filter.split ? substring(filter, Kind::substring_ignoring_case)
                          : ignoring_case(filter);
    if (rule == "2.5.13.2" || rule == "2.5.13.4") return not_indexed(filter);
    if (rule == "overlaps") return range(filter, Kind::overlaps);
    if (rule == "contains") return range(filter, Kind::contains);
    if (rule == "within") return range(filter, Kind::within);
    return errors::plain("unsupported ext filter");
  }

  Result<Condition> ignoring_case(const Filter& filter) {
    auto compiled = comparison(without_asterisks(filter), Kind::equal_ignoring_case);
    if (compiled && compiled->decided && compiled->target.type.scalar != Scalar::string)
      wrong_operator("unknown ~~* " + std::string(postgres_name(compiled->target.type.scalar)));
    return compiled;
  }

  void wrong_operator(const std::string& what) {
    if (!at_execution) at_execution = errors::database("operator does not exist: " + what);
  }

  /// The type of the value that the rule takes for a field of `type`.
  static std::optional<Scalar> operand(Kind kind, IndexType type) {
    switch (type.scalar) {
      case Scalar::numrange:
        if (kind == Kind::overlaps) return Scalar::numrange;
        return kind == Kind::contains ? std::optional(Scalar::number) : std::nullopt;
      case Scalar::daterange:
        if (kind == Kind::overlaps) return Scalar::daterange;
        return kind == Kind::contains ? std::optional(Scalar::date) : std::nullopt;
      case Scalar::subnet: return kind == Kind::contains ? std::optional(Scalar::ip) : std::nullopt;
      case Scalar::number:
        return kind == Kind::within ? std::optional(Scalar::numrange) : std::nullopt;
      case Scalar::date:
        return kind == Kind::within ? std::optional(Scalar::daterange) : std::nullopt;
      case Scalar::ip: return kind == Kind::within ? std::optional(Scalar::subnet) : std::nullopt;
      default: return std::nullopt;
    }
  }

  Result<Condition> range(const Filter& filter, Kind kind) {
    const auto found = target(filter.attribute);
    if (!found) return not_indexed(filter);
    const auto wanted = operand(kind, found->type);
    auto value = wanted ? convert_filter_value(*wanted, filter.value) : std::nullopt;
    if (!value || (purpose_ == Purpose::write && is_nan(*value))) return invalid(filter);
    Condition condition = leaf(kind, *found, filter);
    condition.value = std::move(value);
    return condition;
  }

  const Bucket& bucket_;
  Purpose purpose_;
};

/// The names of a filter that no column decides, in their order, each once.
struct Unusable {
  std::vector<std::string> reindexing, unindexed;
  std::unordered_set<std::string_view> seen;  ///< the filter's own texts

  void collect(const Bucket& bucket, const Filter& filter) {
    for (const Filter& child : filter.children) collect(bucket, child);
    if (!filter.children.empty() || internal_target(filter.attribute)) return;
    if (bucket.usable_field(filter.attribute) != nullptr) return;
    if (!seen.insert(filter.attribute).second) return;
    auto& names = bucket.field(filter.attribute) != nullptr ? reindexing : unindexed;
    names.push_back(filter.attribute);
  }
};

}  // namespace

Result<Compiled> compile(const Bucket& bucket, const Filter& filter, Purpose purpose) {
  Compiler compiler(bucket, purpose);
  auto condition = compiler.compile(filter);
  if (!condition) return condition.error();
  if (!condition->decided) return errors::invalid_query(to_string(filter));
  return Compiled{*std::move(condition), compiler.at_execution};
}

Failed check_usable_fields(const Bucket& bucket, const Filter& filter, const std::string& raw) {
  Unusable names;
  names.collect(bucket, filter);
  if (names.reindexing.empty() && names.unindexed.empty()) return std::nullopt;
  return errors::not_indexed_fields(bucket.name, raw, names.reindexing, names.unindexed);
}

}  // namespace objects
