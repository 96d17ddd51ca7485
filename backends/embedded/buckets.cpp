// createBucket, getBucket, listBuckets, updateBucket, delBucket.
#include <algorithm>

#include "backends/embedded/operations.hpp"
#include "objects/errors.hpp"
#include "objects/text.hpp"

namespace backends::embedded {
namespace {

using objects::Bucket;
using objects::Failed;
using objects::JsArray;

void store(const Work& work, const Table& table) {
  work.transaction.put(keys::bucket(table.bucket.name), encode(table));
}

bool is_true(const objects::JsValue& options, const char* name) {
  const objects::JsValue* value = options.get(name);
  return value != nullptr && value->truthy();
}

/// PostgreSQL folds table names: a bucket whose name differs in case only is in the way.
Failed check_free(const Work& work, const std::string& name) {
  const std::string folded = objects::text::lower_ascii(name);
  Failed taken;
  work.transaction.scan(keys::bucket_prefix(), [&](std::string_view key, std::string_view) {
    const std::string other(keys::bucket_name(key));
    if (other == name)
      taken = objects::errors::bucket_conflict(name);
    else if (objects::text::lower_ascii(other) == folded && !taken)
      taken = objects::errors::database("relation \"" + folded + "_serial\" already exists");
    return !(other == name);
  });
  return taken;
}

/// Takes over the columns of fields that stay, and gives new ones to the others. The unique values
/// of columns that go are erased.
void assign_columns(const Work& work, const Table& before, const objects::BucketUpdate& update,
                    Table& table) {
  const auto added = [&](const std::string& name) {
    return std::find(update.added.begin(), update.added.end(), name) != update.added.end();
  };
  for (const objects::IndexField& field : table.bucket.fields) {
    const objects::IndexField* old = added(field.name) ? nullptr : before.bucket.field(field.name);
    table.columns.push_back(
        old == nullptr
            ? table.next_column++
            : before.columns[static_cast<std::size_t>(old - before.bucket.fields.data())]);
  }
  for (const std::string& name : update.removed) {
    const objects::IndexField* old = before.bucket.field(name);
    if (!old->unique) continue;
    const auto column = before.columns[static_cast<std::size_t>(old - before.bucket.fields.data())];
    work.transaction.scan(keys::unique_values(before.id, column),
                          [&](std::string_view key, std::string_view) {
                            work.transaction.erase(std::string(key));
                            return true;
                          });
  }
}

}  // namespace

Values create_bucket(const Work& work, const JsArray& arguments) {
  const std::string& name = *arguments[0].string();
  auto bucket = objects::check_bucket(name, arguments[1]);
  if (!bucket) return bucket.error();
  if (auto error = check_free(work, name)) return *error;
  if (auto error = objects::check_sql_names(name, bucket->fields)) return *error;
  Table table;
  table.bucket = *std::move(bucket);
  table.bucket.mtime.ms = work.now_ms;
  table.id = number_at(work.transaction, keys::next_bucket(), 1);
  for (std::size_t i = 0; i < table.bucket.fields.size(); ++i)
    table.columns.push_back(table.next_column++);
  work.transaction.put(keys::next_bucket(), std::to_string(table.id + 1));
  store(work, table);
  return JsArray{};
}

Values get_bucket(const Work& work, const JsArray& arguments) {
  auto table = work.tables.find(work.transaction, *arguments[1].string());
  if (!table) return table.error();
  return JsArray{objects::bucket_row((*table)->bucket)};
}

Values list_buckets(const Work& work) {
  JsArray rows;
  work.transaction.scan(keys::bucket_prefix(), [&](std::string_view key, std::string_view text) {
    rows.emplace_back(
        objects::bucket_row(decode_table(keys::bucket_name(key), std::string(text)).bucket));
    return true;
  });
  return rows;
}

Values update_bucket(const Work& work, const JsArray& arguments) {
  const std::string& name = *arguments[0].string();
  auto wanted = objects::check_bucket(name, arguments[1]);
  if (!wanted) return wanted.error();
  auto stored = work.tables.find(work.transaction, name);
  if (!stored) return stored.error();
  const Table& before = **stored;
  auto update = objects::update_bucket(before.bucket, *std::move(wanted),
                                       is_true(arguments[2], "no_reindex"));
  if (!update) return update.error();
  if (auto error = objects::check_sql_names(name, update->bucket.fields)) return *error;
  Table table;
  table.bucket = update->bucket;
  table.id = before.id;
  table.next_column = before.next_column;
  assign_columns(work, before, *update, table);
  store(work, table);
  return JsArray{};
}

Values del_bucket(const Work& work, const JsArray& arguments) {
  const std::string& name = *arguments[0].string();
  if (objects::reserved_bucket_name(name)) return objects::errors::invalid_bucket_name(name);
  auto table = work.tables.find(work.transaction, name);
  if (!table) return table.error();
  work.transaction.erase(keys::bucket(name));
  work.transaction.put(keys::dropped((*table)->id), "");  // its rows go little by little
  return JsArray{};
}

}  // namespace backends::embedded
