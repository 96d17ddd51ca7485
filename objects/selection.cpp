#include "objects/selection.hpp"

#include <cstdlib>

#include "objects/errors.hpp"
#include "objects/text.hpp"

namespace objects {
namespace {

using Attribute = Selection::Attribute;

constexpr std::uint64_t kDefaultLimit = 1000;

/// A count given as a number or digits; a number of 0, an empty text and null count as absent.
std::optional<std::uint64_t> count_option(const JsValue& options, const char* name) {
  const JsValue* value = options.get(name);
  if (value == nullptr || !value->truthy()) return std::nullopt;
  if (const double* number = value->number()) return static_cast<std::uint64_t>(*number);
  return std::strtoull(value->string()->c_str(), nullptr, 10);
}

std::optional<Attribute> internal_attribute(std::string_view name) {
  if (name == "_id") return Attribute::id;
  if (name == "_mtime") return Attribute::mtime;
  if (name == "_txn_snap") return Attribute::txn_snap;
  if (name == "_key") return Attribute::key;
  if (name == "_etag") return Attribute::etag;
  if (name == "_vnode") return Attribute::vnode;
  return std::nullopt;
}

Result<Selection::Key> key_of(const Bucket& bucket, const std::string& name, bool descending) {
  if (name == "_idx") return errors::plain("sorting on \"_idx\" is not allowed");
  if (const auto internal = internal_attribute(name))
    return Selection::Key{*internal, 0, descending};
  const std::string column = text::lower_ascii(name);
  for (std::size_t i = 0; i < bucket.fields.size(); ++i)
    if (bucket.fields[i].column == column) return Selection::Key{Attribute::field, i, descending};
  return errors::database("column \"" + column + "\" does not exist");
}

Failed add_key(const Bucket& bucket, const JsValue& entry, Selection& selection) {
  const JsValue* attribute = entry.get("attribute");
  if (attribute == nullptr || attribute->string() == nullptr || attribute->string()->empty())
    return std::nullopt;
  const JsValue* order = entry.get("order");
  const bool descending = order != nullptr && text::lower_ascii(*order->string()) == "desc";
  auto key = key_of(bucket, *attribute->string(), descending);
  if (!key) return key.error();
  selection.sort.push_back(*key);
  return std::nullopt;
}

Column number(const std::optional<std::int64_t>& value) {
  return value ? Column(Element(static_cast<double>(*value))) : Column();
}

std::weak_ordering compare_arrays(const Elements& a, const Elements& b) {
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
    if (!a[i] || !b[i]) {
      if (a[i].has_value() != b[i].has_value()) return b[i].has_value() <=> a[i].has_value();
      continue;
    }
    if (const auto order = compare(*a[i], *b[i]); order != 0) return order;
  }
  return a.size() <=> b.size();
}

/// NULLs above all values.
std::weak_ordering compare_columns(const Column& a, const Column& b) {
  if (is_null(a) || is_null(b)) return is_null(a) <=> is_null(b);
  if (const auto* element = std::get_if<Element>(&a))
    return compare(*element, std::get<Element>(b));
  return compare_arrays(std::get<Elements>(a), std::get<Elements>(b));
}

}  // namespace

Result<Selection> selection_of(const Bucket& bucket, const JsValue& options) {
  Selection selection;
  selection.limit = count_option(options, "limit");
  selection.offset = count_option(options, "offset").value_or(0);
  const JsValue* no_limit = options.get("noLimit");
  if (!selection.limit && (no_limit == nullptr || !no_limit->truthy()))
    selection.limit = kDefaultLimit;
  const JsValue* sort = options.get("sort");
  if (sort == nullptr) return selection;
  if (const JsArray* entries = sort->array()) {
    for (const JsValue& entry : *entries)
      if (auto error = add_key(bucket, entry, selection)) return *error;
  } else if (auto error = add_key(bucket, *sort, selection)) {
    return *error;
  }
  return selection;
}

std::vector<Column> sort_values(const Selection& selection, const Row& row) {
  std::vector<Column> values;
  for (const Selection::Key& key : selection.sort) {
    switch (key.attribute) {
      case Attribute::field: values.push_back(row.columns[key.field]); break;
      case Attribute::id: values.push_back(number(row.id)); break;
      case Attribute::mtime: values.push_back(number(row.mtime_ms)); break;
      case Attribute::txn_snap: values.push_back(number(row.txn_snap)); break;
      case Attribute::vnode: values.push_back(number(row.vnode)); break;
      case Attribute::key: values.emplace_back(Element(row.key)); break;
      case Attribute::etag: values.emplace_back(Element(row.etag)); break;
    }
  }
  return values;
}

bool comes_before(const Selection& selection, const std::vector<Column>& a,
                  const std::vector<Column>& b) {
  for (std::size_t i = 0; i < selection.sort.size(); ++i) {
    const auto order = compare_columns(a[i], b[i]);
    if (order != 0) return selection.sort[i].descending ? order > 0 : order < 0;
  }
  return false;
}

}  // namespace objects
