#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backends/embedded/keys.hpp"
#include "backends/embedded/transaction.hpp"
#include "objects/bucket.hpp"
#include "objects/result.hpp"
#include "objects/row.hpp"

namespace backends::embedded {

/// A bucket as stored. A column has an id of its own that is never used again, so that a field
/// removed and added anew begins empty without a rewrite of the rows. A value.
struct Table {
  objects::Bucket bucket;
  keys::BucketId id = 0;
  std::vector<keys::ColumnId> columns;  ///< one for each of bucket.fields
  keys::ColumnId next_column = 0;

  [[nodiscard]] std::string key_of(std::string_view key) const { return keys::row(id, key); }
};
using TablePointer = std::shared_ptr<const Table>;

std::string encode(const Table& table);
/// Throws StoreError for what `encode` never wrote.
Table decode_table(std::string_view name, const std::string& text);

std::string encode(const Table& table, const objects::Row& row);
/// Throws StoreError naming the row.
objects::Row decode_row(const Table& table, std::string_view key, std::string_view text);

/// Decoded tables by name, each checked against the stored text when it is asked for, so that
/// nothing needs to be told of changes. Lives on the owner's thread.
class TableCache {
 public:
  /// BucketNotFoundError where there is none.
  objects::Result<TablePointer> find(const Transaction& transaction, const std::string& name);

 private:
  struct Entry {
    std::string text;
    TablePointer table;
  };
  std::map<std::string, Entry, std::less<>> entries_;
  std::size_t text_bytes_ = 0;  // of the entries
};

/// Writes a row and its unique values; `before` is the row as it was. UniqueAttributeError where
/// another row has one of them.
objects::Failed write_row(Transaction& transaction, const Table& table,
                          const std::optional<objects::Row>& before, const objects::Row& row);
void erase_row(Transaction& transaction, const Table& table, const objects::Row& row);
std::optional<objects::Row> read_row(const Transaction& transaction, const Table& table,
                                     const std::string& key);

/// Draws the bucket's next `_id`.
std::int64_t next_id(Transaction& transaction, const Table& table);
/// guaranteeOrder: draws the next serial; a bucket's first put gets 2.
std::int64_t next_serial(Transaction& transaction, const Table& table);

}  // namespace backends::embedded
