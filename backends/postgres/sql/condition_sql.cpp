#include "backends/postgres/sql/condition_sql.hpp"

#include <cmath>
#include <utility>

#include "backends/postgres/sql/column_text.hpp"
#include "backends/postgres/wire/identifier.hpp"
#include "objects/column.hpp"

namespace backends::postgres {
namespace {

using objects::Condition;
using objects::Scalar;
using objects::Target;
using Kind = Condition::Kind;

std::string name_of(Target::Internal internal) {
  using Internal = Target::Internal;
  switch (internal) {
    case Internal::id: return "_id";
    case Internal::mtime: return "_mtime";
    case Internal::txn_snap: return "_txn_snap";
    case Internal::key: return "_key";
    case Internal::etag: return "_etag::text";
    case Internal::none: break;
  }
  return "";
}

/// The type of an operand that is of another kind than its column: a range's point, a subnet's
/// address.
std::string_view operand_type(const objects::Element& value, const Target& target, Kind kind) {
  const Scalar column = target.type.scalar;
  // moray's own numbers are bigints: compared with a numeric, they would not use their indexes.
  if (const double* number = std::get_if<double>(&value);
      number != nullptr && target.internal != Target::Internal::none)
    return *number == std::floor(*number) && std::fabs(*number) < 9e15 ? "bigint" : "numeric";
  if (std::holds_alternative<objects::NumberRange>(value)) return "numrange";
  if (std::holds_alternative<objects::DateRange>(value)) return "tstzrange";
  if (kind == Kind::contains && column == Scalar::numrange) return "numeric";
  if (kind == Kind::contains && column == Scalar::daterange) return "timestamptz";
  if (kind == Kind::contains && column == Scalar::subnet) return "inet";
  if (kind == Kind::within && column == Scalar::ip) return "cidr";
  return sql_type(column);
}

Scalar scalar_of(std::string_view type) {
  if (type == "numrange") return Scalar::numrange;
  if (type == "tstzrange") return Scalar::daterange;
  if (type == "numeric" || type == "bigint") return Scalar::number;
  if (type == "timestamptz") return Scalar::date;
  if (type == "inet") return Scalar::ip;
  if (type == "cidr") return Scalar::subnet;
  return Scalar::string;
}

/// `%`, `_` and `\` stand for themselves.
std::string escaped(const std::string& part) {
  std::string out;
  for (const char c : part) {
    if (c == '%' || c == '_' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string pattern_of(const objects::Filter& filter) {
  std::string pattern = escaped(filter.initial);
  for (const std::string& part : filter.any)
    if (!part.empty()) pattern += "%" + escaped(part);
  return pattern + "%" + escaped(filter.final);
}

class Writer {
 public:
  Writer(const BucketTable& table, Parameters& parameters)
      : table_(table), parameters_(parameters) {}

  std::string write(const Condition& condition) {
    append(condition);
    return std::move(text_);
  }

 private:
  /// Into one text: a level that copied its children's would make the whole quadratic.
  void append(const Condition& condition) {
    if (!condition.decided) {
      text_ += "TRUE";
      return;
    }
    switch (condition.kind) {
      case Kind::conjunction: return append_list(condition, " AND ");
      case Kind::disjunction: return append_list(condition, " OR ");
      case Kind::negation:
        text_ += "(NOT ";
        append(condition.children.front());
        text_ += ")";
        return;
      default: text_ += leaf(condition);
    }
  }

  void append_list(const Condition& condition, const char* between) {
    const char* before = "(";
    for (const Condition& child : condition.children) {
      if (!child.decided) continue;  // a disjunction has none of those
      text_ += before;
      append(child);
      before = between;
    }
    text_ += ")";
  }

  std::string parameter(std::string value, std::string_view type) {
    parameters_.emplace_back(std::move(value));
    return "$" + std::to_string(parameters_.size()) + "::" + std::string(type);
  }

  std::string leaf(const Condition& condition) {
    if (condition.target.internal == Target::Internal::id && table_.extended_id) {
      const std::string id = comparison(condition, "_id");
      return "(" + id + " OR " + comparison(condition, "_idx") + ")";
    }
    const bool compared = condition.kind == Kind::equal ||
                          condition.kind == Kind::greater_or_equal ||
                          condition.kind == Kind::less_or_equal;
    if (condition.target.internal == Target::Internal::etag && compared)
      return etag_comparison(condition);
    const bool internal = condition.target.internal != Target::Internal::none;
    return comparison(condition,
                      internal ? name_of(condition.target.internal)
                               : identifier(table_.bucket.fields[condition.target.field].column));
  }

  /// In the column's own type, or its index would be of no use; blanks at the end count all the
  /// same.
  std::string etag_comparison(const Condition& condition) {
    const std::string operand = parameter(std::get<std::string>(*condition.value), "text");
    const char* operation = condition.kind == Kind::equal              ? " = "
                            : condition.kind == Kind::greater_or_equal ? " >= "
                                                                       : " <= ";
    return "(_etag" + std::string(operation) + operand + "::bpchar AND _etag::text" + operation +
           operand + " AND _etag IS NOT NULL)";
  }

  std::string comparison(const Condition& condition, const std::string& column) {
    const std::string guard = " AND " + column + " IS NOT NULL)";
    switch (condition.kind) {
      case Kind::present: return "(" + column + " IS NOT NULL)";
      case Kind::substring:
        return "(" + column + " LIKE " + parameter(pattern_of(condition.filter), "text") + guard;
      case Kind::substring_ignoring_case:
        return "(" + column + " ILIKE " + parameter(pattern_of(condition.filter), "text") + guard;
      default: break;
    }
    const objects::Element& value = *condition.value;
    if (const double* number = std::get_if<double>(&value);
        number != nullptr && std::isnan(*number))
      return "FALSE";
    const auto type = operand_type(value, condition.target, condition.kind);
    const std::string operand =
        parameter(objects::to_postgres(objects::Column(value), {scalar_of(type), false}), type);
    const bool array = condition.target.type.array;
    const std::string any = "ANY(" + column + ")";
    switch (condition.kind) {
      case Kind::equal:
        if (array) return "(" + column + " @> ARRAY[" + operand + "])";
        return "(" + column + " = " + operand + guard;
      case Kind::greater_or_equal:
        if (array) return "(" + operand + " <= " + any + ")";
        return "(" + column + " >= " + operand + guard;
      case Kind::less_or_equal:
        if (array) return "(" + operand + " >= " + any + ")";
        return "(" + column + " <= " + operand + guard;
      case Kind::equal_ignoring_case:
        if (array)
          return "(EXISTS (SELECT 1 FROM unnest(" + column + ") e WHERE lower(e) = lower(" +
                 operand + ")))";
        return "(lower(" + column + ") = lower(" + operand + ")" + guard;
      case Kind::overlaps: return "(" + column + " && " + operand + ")";
      case Kind::contains:
        return "(" + operand + (type == "inet" ? " << " : " <@ ") + (array ? any : column) + ")";
      case Kind::within:
        return "(" + operand + (type == "cidr" ? " >> " : " @> ") + (array ? any : column) + ")";
      default: return "TRUE";
    }
  }

  const BucketTable& table_;
  Parameters& parameters_;
  std::string text_;
};

std::string sort_column(const BucketTable& table, const objects::Selection::Key& key) {
  using Attribute = objects::Selection::Attribute;
  switch (key.attribute) {
    case Attribute::id: return "_id";
    case Attribute::mtime: return "_mtime";
    case Attribute::txn_snap: return "_txn_snap";
    case Attribute::key: return "_key";
    case Attribute::etag: return "_etag";
    case Attribute::vnode: return "_vnode";
    case Attribute::field: break;
  }
  return identifier(table.bucket.fields[key.field].column);
}

}  // namespace

std::string where_clause(const BucketTable& table, const Condition& condition,
                         Parameters& parameters) {
  return Writer(table, parameters).write(condition);
}

std::string order_clause(const BucketTable& table, const objects::Selection& selection) {
  std::string text;
  for (const auto& key : selection.sort) {
    const std::string column = sort_column(table, key);
    const std::string direction = key.descending ? " DESC" : " ASC";
    text += (text.empty() ? " ORDER BY " : ", ") + column + direction;
    if (key.attribute == objects::Selection::Attribute::id && table.extended_id)
      text += ", _idx" + direction;
  }
  if (selection.limit) text += " LIMIT " + std::to_string(*selection.limit);
  if (selection.offset > 0) text += " OFFSET " + std::to_string(selection.offset);
  return text;
}

}  // namespace backends::postgres
