#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backends/postgres/wire/identifier.hpp"
#include "backends/postgres/wire/session.hpp"

namespace reshard {

using backends::postgres::Relation;

/// A bucket's table as its catalogue has it, as far as moving its rows depends on that. What else
/// it is, is in reshard/definition/.
struct Table {
  struct Column {
    std::string name;       ///< quoted where it needs it
    std::string type;       ///< with its schema, unless it is PostgreSQL's own
    std::string otherwise;  ///< its default's expression; may be empty
    bool not_null = false;
    bool generated = false;  ///< the server computes it, and takes no value for it
    /// Its binary form says numbers of one database's catalogue, or it has none: it goes as text.
    bool as_text = false;
    std::uint32_t sequence = 0;  ///< oid of the one that gives its values; 0: none
    bool operator==(const Column&) const = default;
  };

  /// One of the relations that its rows are in.
  struct Member {
    Relation name;
    std::uint32_t oid = 0;
    bool operator==(const Member&) const = default;
  };

  std::string bucket;  ///< as its clients name it
  Relation name;
  std::uint32_t oid = 0;
  std::vector<Member> members;  ///< partitions and other children, however deep; without itself
  bool partitioned = false;
  std::vector<Column> columns;
  bool indexed_by_vnode = false;
  bool unique = false;            ///< something beside the primary key may exclude a row
  std::uint32_t id_sequence = 0;  ///< oid of what gives ids; 0: their column's default does
  Relation counted_in;  ///< the table of counts of its rows by directory (reshard/counts.hpp);
                        ///< empty: none
  double rows_about = 0;
  double bytes_about = 0;  ///< of the table and what is stored beside it, without indexes

  [[nodiscard]] const Column* column(const std::string& wanted) const;
  /// Of the columns that take values: `a, b, c`
  [[nodiscard]] std::string column_list() const;
  [[nodiscard]] bool has_texts() const;
  bool operator==(const Table&) const = default;
};

/// The table that the session's search_path finds under a bucket's name; nullopt: none. Opens
/// a transaction of its own. Throws SessionError. A few statements.
std::optional<Table> read_table(backends::postgres::Session& session, const std::string& bucket);

}  // namespace reshard
