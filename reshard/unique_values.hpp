#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "reshard/copy.hpp"
#include "reshard/tables.hpp"

namespace reshard {

/// Something by which a row excludes others: a unique index, of whatever columns, expressions and
/// rows, or an exclusion constraint. Without the primary key, and without what is about ids alone,
/// which may be issued anew.
struct UniqueKey {
  struct Part {
    std::string expression, type;
    std::string comparison;  ///< an operator that is true of two values that exclude each other
    bool operator==(const Part&) const = default;
  };
  std::string name;
  std::vector<Part> parts;
  std::string predicate;  ///< of which rows it is; empty: all
  bool nulls = false;     ///< two rows without a value exclude each other, too
  /// Whatever their names.
  [[nodiscard]] bool same(const UniqueKey& other) const {
    return parts == other.parts && predicate == other.predicate && nulls == other.nulls;
  }
};

/// Of a table, with all names qualified, so that they mean the same in another session. Throws
/// SessionError.
std::vector<UniqueKey> unique_keys(backends::postgres::Session& session, const Table& table);

/// Some rows of a table.
class SomeRows {
 public:
  static SomeRows all() { return {}; }
  static SomeRows of_vnodes(const VnodeGroup& vnodes);
  static SomeRows of_keys(const std::vector<std::string>& keys, bool but_those = false);
  /// A condition on columns; what it needs is appended to the values.
  [[nodiscard]] std::string condition(backends::postgres::Parameters& values) const;

 private:
  std::string before_ = "true", after_;
  std::optional<std::string> value_;
};

/// A table in a database, and the rows of it that are meant.
struct RowsThere {
  backends::postgres::Session& session;
  const Table& table;
  SomeRows rows;
};

/// A unique value of a row that moves, which another row has that is, or will be, at the target.
struct TakenValue {
  std::string what;  ///< `column = value`, `(one, other) = (value, value)`
  std::string key;   ///< of the other row
};

/// Values of the one's rows that exclude some of the other's, at most `most` of them. Reads all of
/// the one's values at once. Throws SessionError. Two statements; what the other's index finds.
std::vector<TakenValue> taken_values(const UniqueKey& unique, const RowsThere& one,
                                     const RowsThere& other, int most);

/// Rows that another plan moves to the same target, and has not cut over: they are still at their
/// source.
struct ComingRows {
  std::string plan, pnode;  ///< `pnode`: where they come from
  VnodeGroup vnodes;
  std::unique_ptr<backends::postgres::Session> source;
};

/// Of all plans but that one. `shards`: whose URLs are known; where a source's is not, or it can't
/// be reached, a warning says so. Throws SessionError of the target.
std::vector<ComingRows> coming_rows(backends::postgres::Session& target, const std::string& but,
                                    const std::vector<Side>& shards,
                                    std::vector<std::string>& warnings);

}  // namespace reshard
