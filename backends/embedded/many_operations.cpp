// updateObjects, deleteMany: one statement over all rows that a filter selects.
#include <algorithm>

#include "backends/embedded/access_path.hpp"
#include "backends/embedded/operations.hpp"
#include "objects/condition.hpp"
#include "objects/errors.hpp"
#include "objects/field_update.hpp"
#include "objects/selection.hpp"

namespace backends::embedded {
namespace {

using objects::JsArray;
using objects::JsObject;
using objects::JsValue;
using objects::Row;

struct Prepared {
  objects::Condition condition;
  objects::Selection selection;
};

objects::Result<Prepared> prepare(const Table& table, const objects::Filter& filter,
                                  const std::string& raw, const JsValue& options) {
  if (auto error = objects::check_usable_fields(table.bucket, filter, raw)) return *error;
  auto compiled = objects::compile(table.bucket, filter, objects::Purpose::write);
  if (!compiled) return compiled.error();
  auto selection = objects::selection_of(table.bucket, options);
  if (!selection) return selection.error();
  if (compiled->at_execution) return *compiled->at_execution;
  return Prepared{std::move(compiled->condition), *std::move(selection)};
}

/// Whether a statement needs the objects' texts.
enum class Texts : std::uint8_t { needed, dropped };

/// The rows that the statement touches, limit and offset applied.
std::vector<Row> select(const Work& work, const Table& table, const Prepared& prepared,
                        Texts texts) {
  const objects::Selection& selection = prepared.selection;
  const std::uint64_t wanted = selection.limit ? *selection.limit + selection.offset : UINT64_MAX;
  std::vector<Row> rows;
  const AccessPath path = access_path(table, prepared.condition);
  work.transaction.scan(path.prefix, [&](std::string_view key, std::string_view text) {
    if (path.exact && key.size() != path.prefix.size()) return false;
    if (selection.sort.empty() && rows.size() >= wanted) return false;
    Row row = decode_row(table, keys::row_key(key), text);
    if (objects::decide(prepared.condition, row) != objects::Truth::yes) return true;
    const std::size_t head_bytes = text.size() - row.value.size();
    if (texts == Texts::dropped) std::string().swap(row.value);
    work.transaction.charge(sizeof row + row.key.size() + head_bytes + row.value.size() +
                            row.columns.size() * sizeof(objects::Column));
    rows.push_back(std::move(row));
    return true;
  });
  if (!selection.sort.empty())
    std::stable_sort(rows.begin(), rows.end(), [&](const Row& a, const Row& b) {
      return objects::comes_before(selection, objects::sort_values(selection, a),
                                   objects::sort_values(selection, b));
    });
  if (rows.size() > wanted) rows.resize(wanted);
  rows.erase(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(
                                              selection.offset, rows.size())));
  return rows;
}

objects::Result<objects::Filter> parse(const std::string& text) {
  auto parsed = objects::parse_filter(text);
  if (!parsed.filter) return objects::errors::invalid_query(text);
  return *std::move(parsed.filter);
}

}  // namespace

objects::Result<Updated> update(const Work& work, const std::string& bucket, const JsObject& fields,
                                const std::string& filter, const JsValue& options) {
  auto parsed = parse(filter);
  if (!parsed) return parsed.error();
  auto table = work.tables.find(work.transaction, bucket);
  if (!table) return table.error();
  if (auto error = objects::check_writable((*table)->bucket)) return *error;
  auto changes = objects::field_update_of((*table)->bucket, fields);
  if (!changes) return changes.error();
  auto prepared = prepare(**table, *parsed, filter, options);
  if (!prepared) return prepared.error();

  Updated updated;
  updated.etag = objects::update_etag(work.random);
  for (Row& before : select(work, **table, *prepared, Texts::needed)) {
    Row row = before;
    for (const auto& [position, column] : *changes) row.columns[position] = column;
    row.etag = updated.etag;
    row.mtime_ms = work.now_ms;
    if (auto error = write_row(work.transaction, **table, before, row)) return *error;
    ++updated.count;
  }
  return updated;
}

objects::Result<std::int64_t> erase_many(const Work& work, const std::string& bucket,
                                         const std::string& filter, const JsValue& options) {
  auto parsed = parse(filter);
  if (!parsed) return parsed.error();
  auto table = work.tables.find(work.transaction, bucket);
  if (!table) return table.error();
  if (auto error = objects::check_writable((*table)->bucket)) return *error;
  auto prepared = prepare(**table, *parsed, filter, options);
  if (!prepared) return prepared.error();
  const std::vector<Row> rows = select(work, **table, *prepared, Texts::dropped);
  for (const Row& row : rows) erase_row(work.transaction, **table, row);
  return static_cast<std::int64_t>(rows.size());
}

Values update_objects(const Work& work, const JsArray& arguments) {
  if (auto error = objects::check_not_empty(*arguments[1].object())) return *error;
  auto updated = update(work, *arguments[0].string(), *arguments[1].object(),
                        *arguments[2].string(), arguments[3]);
  if (!updated) return updated.error();
  JsObject value;
  value.set("count", updated->count);
  value.set("etag", updated->etag);
  return JsArray{std::move(value)};
}

Values delete_many(const Work& work, const JsArray& arguments) {
  auto count = erase_many(work, *arguments[0].string(), *arguments[1].string(), arguments[2]);
  if (!count) return count.error();
  JsObject value;
  value.set("count", *count);
  return JsArray{std::move(value)};
}

}  // namespace backends::embedded
