#pragma once

#include <optional>
#include <string>
#include <vector>

#include "backends/postgres/session.hpp"
#include "config/config.hpp"

namespace reshard {

/// A bucket's table as its catalogue has it. Names are quoted where they need it.
struct Table {
  struct Column {
    std::string name, type, otherwise;  ///< `otherwise`: its default's expression; may be empty
    bool not_null = false;
    bool operator==(const Column&) const = default;
  };
  struct Index {
    std::string name, definition;
    bool unique = false;
    std::string constraint;  ///< what it belongs to, as ALTER TABLE has it; empty: none
    bool operator==(const Index&) const = default;
  };

  /// One of a site's own, with the function that it runs.
  struct Trigger {
    std::string name, definition;
    std::string function, function_definition;  ///< `count_rows()`, and what makes it
    bool operator==(const Trigger&) const = default;
  };

  std::string bucket;  ///< as its clients name it
  std::string name;    ///< the table's
  std::vector<Column> columns;
  std::string primary_key;  ///< `PRIMARY KEY (_key)`
  std::string primary_key_name;
  std::vector<Index> indexes;  ///< others
  std::vector<Trigger> triggers;
  std::string counted_in;  ///< the table of counts of its rows by directory (reshard/counts.hpp);
                           ///< empty: none
  double rows_about = 0;
  double bytes_about = 0;  ///< of the table and what is stored beside it, without indexes

  [[nodiscard]] const Column* column(const std::string& wanted) const;
  /// `a, b, c`
  [[nodiscard]] std::string column_list() const;
  bool operator==(const Table&) const = default;
};

/// A bucket's line in buckets_config.
struct BucketConfig {
  std::string name, index, pre, post;
  std::optional<std::string> options, mtime, reindex_active;
  /// Alike but for when they were made.
  [[nodiscard]] bool same(const BucketConfig& other) const;
};

/// All buckets, by name. None where there is no buckets_config.
std::vector<BucketConfig> bucket_configs(backends::postgres::Session& session);
/// Those whose rows belong to vnodes.
std::vector<BucketConfig> routed(std::vector<BucketConfig> all, const config::Buckets& kinds);
bool is_routed(const std::string& bucket, const config::Buckets& kinds);

/// nullopt: there is no such table.
std::optional<Table> read_table(backends::postgres::Session& session, const std::string& bucket);

/// Makes the list of buckets, this bucket's line in it, its sequence and its table with its
/// triggers and the primary key alone; whatever is there already stays. For one transaction.
std::string create_sql(const BucketConfig& config, const Table& table);

/// What keeps rows of one from being rows of the other; empty: nothing.
std::string difference(const Table& source, const Table& target);
/// A trigger that only the source has; empty: none.
std::string missing_trigger(const Table& source, const Table& target);

}  // namespace reshard
