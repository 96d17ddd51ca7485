#include "backends/embedded/table.hpp"

#include "json/document.hpp"
#include "objects/errors.hpp"

namespace backends::embedded {
namespace {

using objects::JsArray;
using objects::JsObject;
using objects::JsValue;

constexpr std::size_t kCachedTablesMax = 1000;
constexpr std::size_t kCachedTextsMax = 16u << 20;  // decoded they take several times as much

JsValue parse(std::string_view text, const std::string& what) {
  json::Document document;
  if (document.parse(text)) throw StoreError(what + " is damaged");
  return objects::parse_value(document.root());
}

template <typename Number>
JsValue or_null(const std::optional<Number>& number) {
  return number ? JsValue(static_cast<double>(*number)) : JsValue();
}

std::optional<std::int64_t> integer(const JsValue& value) {
  if (value.number() == nullptr) return std::nullopt;
  return static_cast<std::int64_t>(*value.number());
}

JsValue object_or_empty(const JsValue& stored, const char* name) {
  const JsValue* member = stored.get(name);
  return member != nullptr ? *member : JsValue();
}

std::string unique_key(const Table& table, std::size_t field, const objects::Column& column) {
  return keys::unique_value(
      table.id, table.columns[field],
      objects::stringify(objects::to_stored(column, table.bucket.fields[field].type)));
}

}  // namespace

std::string encode(const Table& table) {
  JsObject stored;
  stored.set("id", static_cast<double>(table.id));
  stored.set("index", table.bucket.index);
  stored.set("pre", table.bucket.pre);
  stored.set("post", table.bucket.post);
  stored.set("options", table.bucket.options);
  stored.set("reindex", table.bucket.reindex);
  stored.set("mtime", table.bucket.mtime.ms);
  JsArray columns;
  for (const keys::ColumnId column : table.columns)
    columns.emplace_back(static_cast<double>(column));
  stored.set("columns", std::move(columns));
  stored.set("nextColumn", static_cast<double>(table.next_column));
  return objects::stringify(stored);
}

Table decode_table(std::string_view name, const std::string& text) {
  const std::string what = "the configuration of bucket " + std::string(name);
  const JsValue stored = parse(text, what);
  const JsValue index = object_or_empty(stored, "index");
  const JsValue pre = object_or_empty(stored, "pre");
  const JsValue post = object_or_empty(stored, "post");
  const JsValue options = object_or_empty(stored, "options");
  const JsValue columns = object_or_empty(stored, "columns");
  const JsValue id = object_or_empty(stored, "id");
  const JsValue mtime = object_or_empty(stored, "mtime");
  const JsValue next = object_or_empty(stored, "nextColumn");
  if (!index.object() || !pre.array() || !post.array() || !options.object() || !columns.array() ||
      !id.number() || !mtime.number() || !next.number())
    throw StoreError(what + " is damaged");
  Table table;
  table.bucket.name = name;
  table.bucket.index = *index.object();
  table.bucket.pre = *pre.array();
  table.bucket.post = *post.array();
  table.bucket.options = *options.object();
  table.bucket.reindex = object_or_empty(stored, "reindex");
  table.bucket.mtime.ms = static_cast<std::int64_t>(*mtime.number());
  objects::derive(table.bucket);
  table.id = static_cast<keys::BucketId>(*id.number());
  table.next_column = static_cast<keys::ColumnId>(*next.number());
  for (const JsValue& column : *columns.array())
    table.columns.push_back(static_cast<keys::ColumnId>(column.number() ? *column.number() : 0));
  if (table.columns.size() != table.bucket.fields.size()) throw StoreError(what + " is damaged");
  return table;
}

// A row: one line of JSON, [id, etag, mtime, vnode, txn_snap, version, {column id: value}], then
// the object's text as the etag was taken of it.
std::string encode(const Table& table, const objects::Row& row) {
  JsObject columns;
  for (std::size_t i = 0; i < row.columns.size(); ++i)
    if (!objects::is_null(row.columns[i]))
      columns.set(std::to_string(table.columns[i]),
                  objects::to_stored(row.columns[i], table.bucket.fields[i].type));
  JsArray head = {row.id,
                  row.etag,
                  row.mtime_ms,
                  or_null(row.vnode),
                  or_null(row.txn_snap),
                  or_null(row.version)};
  head.emplace_back(std::move(columns));
  return objects::stringify(head) + "\n" + row.value;
}

objects::Row decode_row(const Table& table, std::string_view key, std::string_view text) {
  const std::string what = "the row " + table.bucket.name + "::" + std::string(key);
  const std::size_t line = text.find('\n');
  if (line == std::string_view::npos) throw StoreError(what + " is damaged");
  const JsValue head = parse(text.substr(0, line), what);
  if (head.array() == nullptr || head.array()->size() != 7) throw StoreError(what + " is damaged");
  const JsArray& parts = *head.array();
  if (!parts[0].number() || !parts[1].string() || !parts[2].number() || !parts[6].object())
    throw StoreError(what + " is damaged");
  objects::Row row;
  row.key = key;
  row.value = text.substr(line + 1);
  row.id = *integer(parts[0]);
  row.etag = *parts[1].string();
  row.mtime_ms = *integer(parts[2]);
  row.vnode = integer(parts[3]);
  row.txn_snap = integer(parts[4]);
  if (parts[5].number() != nullptr) row.version = *parts[5].number();
  row.columns.resize(table.bucket.fields.size());
  for (std::size_t i = 0; i < row.columns.size(); ++i)
    if (const JsValue* stored = parts[6].get(std::to_string(table.columns[i])))
      row.columns[i] = objects::column_of(*stored, table.bucket.fields[i].type);
  return row;
}

objects::Result<TablePointer> TableCache::find(const Transaction& transaction,
                                               const std::string& name) {
  const auto text = transaction.get(keys::bucket(name));
  if (!text) return objects::errors::bucket_not_found(name);
  const auto known = entries_.find(name);
  if (known != entries_.end() && known->second.text == *text) return known->second.table;
  if (entries_.size() >= kCachedTablesMax || text_bytes_ + text->size() > kCachedTextsMax) {
    entries_.clear();
    text_bytes_ = 0;
  }
  auto table = std::make_shared<const Table>(decode_table(name, *text));
  text_bytes_ += text->size();  // the one before it in its place counts until all are dropped
  entries_[name] = {*text, table};
  return TablePointer(table);
}

objects::Failed write_row(Transaction& transaction, const Table& table,
                          const std::optional<objects::Row>& before, const objects::Row& row) {
  const auto& fields = table.bucket.fields;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (!fields[i].unique) continue;
    const bool had = before && !objects::is_null(before->columns[i]);
    const std::string old_key = had ? unique_key(table, i, before->columns[i]) : std::string();
    const bool has = !objects::is_null(row.columns[i]);
    const std::string new_key = has ? unique_key(table, i, row.columns[i]) : std::string();
    if (old_key == new_key) continue;
    if (has) {
      if (const auto owner = transaction.get(new_key); owner && *owner != row.key)
        return objects::errors::unique_attribute(
            fields[i].column, objects::to_postgres(row.columns[i], fields[i].type));
      transaction.put(new_key, row.key);
    }
    if (had) transaction.erase(old_key);
  }
  transaction.put(table.key_of(row.key), encode(table, row));
  return std::nullopt;
}

void erase_row(Transaction& transaction, const Table& table, const objects::Row& row) {
  for (std::size_t i = 0; i < table.bucket.fields.size(); ++i)
    if (table.bucket.fields[i].unique && !objects::is_null(row.columns[i]))
      transaction.erase(unique_key(table, i, row.columns[i]));
  transaction.erase(table.key_of(row.key));
}

std::optional<objects::Row> read_row(const Transaction& transaction, const Table& table,
                                     const std::string& key) {
  const auto text = transaction.get(table.key_of(key));
  if (!text) return std::nullopt;
  return decode_row(table, key, *text);
}

namespace {

/// `<next id> <serial>`.
struct Counters {
  std::int64_t next_id = 1;
  std::int64_t serial = 1;
};

Counters counters_of(const Transaction& transaction, const Table& table) {
  Counters counters;
  if (const auto text = transaction.get(keys::counters(table.id))) {
    char* rest = nullptr;
    counters.next_id = std::strtoll(text->c_str(), &rest, 10);
    counters.serial = std::strtoll(rest, nullptr, 10);
  }
  return counters;
}

void store(Transaction& transaction, const Table& table, const Counters& counters) {
  transaction.put(keys::counters(table.id),
                  std::to_string(counters.next_id) + " " + std::to_string(counters.serial));
}

}  // namespace

std::int64_t next_id(Transaction& transaction, const Table& table) {
  Counters counters = counters_of(transaction, table);
  const std::int64_t id = counters.next_id++;
  store(transaction, table, counters);
  return id;
}

std::int64_t next_serial(Transaction& transaction, const Table& table) {
  Counters counters = counters_of(transaction, table);
  const std::int64_t serial = ++counters.serial;
  store(transaction, table, counters);
  return serial;
}

}  // namespace backends::embedded
