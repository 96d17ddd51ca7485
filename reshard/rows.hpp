#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "reshard/database.hpp"
#include "reshard/tables.hpp"
#include "reshard/transaction.hpp"

/// How rows get from one database to another: as binary COPY, columns named, types the target's.
namespace reshard {

/// Keys that one statement names, and their bytes together, but for one key that is longer.
inline constexpr std::size_t kKeysAtOnce = 5'000;
inline constexpr std::size_t kKeyBytesAtOnce = 1 << 20;
/// Rows are passed on when so many bytes of them have come: memory holds a few times that, and as
/// often the longest row.
inline constexpr std::size_t kRowBytesAtOnce = 4 << 20;

/// A bucket's table on both sides.
struct TablePair {
  Table source, target;
};

/// Rows as COPY's binary form, cut between rows.
class RowBatch {
 public:
  /// What a server sends: pieces that end where rows do.
  void add(std::string_view piece);
  [[nodiscard]] std::uint64_t rows() const { return rows_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_.size(); }
  [[nodiscard]] bool empty() const { return rows_ == 0; }
  /// With its header and its end.
  [[nodiscard]] std::string take();

 private:
  std::string bytes_;
  std::uint64_t rows_ = 0;
};

/// What is selected of a row at `from` to become one at `to`, on its way: in the order of
/// `to.column_list()`.
std::string selected(const Table& from, const Table& to, const std::string& row);

/// The rows of these keys as they are in the session's transaction, a batch of `kRowBytesAtOnce` at
/// a time. If the sink throws, what is left of the rows is read and thrown away before the
/// exception goes on, so that the session, which has the plan's locks, serves on; only if much is
/// left the session is closed. O(rows) time.
void stream_rows(backends::postgres::Session& session, const Table& from, const Table& to,
                 const std::vector<std::string>& keys,
                 const std::function<void(RowBatch rows)>& sink);

/// The keys, so many at a time as one statement names (`kKeysAtOnce`, `kKeyBytesAtOnce`).
std::vector<std::vector<std::string>> in_parts(const std::vector<std::string>& keys);
/// An array of texts, as the value of a parameter of type text[].
std::string text_array(const std::vector<std::string>& texts);
/// An array of numbers, as SQL.
std::string number_array(const std::vector<std::uint64_t>& numbers);

/// What becomes of a row with a unique value that another row has already.
enum class Taken : std::uint8_t {
  refused,    ///< it fails the transaction: SQLSTATE 23505
  stays_out,  ///< its key has no row afterwards, and is returned
};

/// In a transaction of `to`'s apply session: certain keys of a table become exactly certain rows,
/// which may come in parts. All of those keys are deleted before anything is inserted, since a
/// unique value may have moved from one of them to another. One a table and transaction. Memory:
/// the keys, and the part of the rows that is being added.
class Replacement {
 public:
  /// `ids_issued_anew`: a row keeps the id that it has there, a new one gets the side's next; else
  /// ids come with the rows.
  Replacement(Database& to, const Table& table, std::vector<std::string> keys, bool ids_issued_anew,
              Taken taken = Taken::refused);
  void add(RowBatch rows);
  /// The keys whose rows stay out.
  std::vector<std::string> finish();

 private:
  [[nodiscard]] std::vector<backends::postgres::Call> drop_old() const;
  [[nodiscard]] std::vector<backends::postgres::Call> insert_staged() const;
  [[nodiscard]] std::map<std::string, std::int64_t> directories() const;

  Database& to_;
  const Table& table_;
  std::vector<std::string> keys_;
  bool ids_issued_anew_;
  Taken taken_;
  std::string stage_;  // empty: rows go straight into the table
  std::map<std::string, std::int64_t>
      counted_;  // rows by directory before; where the table's are counted
};

/// Where none of the rows are there: only inserted. With new ids, or where something beside the
/// primary key may exclude a row, keys that are taken, or whose unique values are, stay out: they
/// are returned.
std::vector<std::string> insert_rows(Database& to, const Table& table, RowBatch rows,
                                     bool ids_issued_anew);

/// A transaction of the apply session that goes on only while the plan's row there is in `state`
/// and in this coordinator's epoch. Throws NotCoordinator, or ActFailed naming the state.
class Applying {
 public:
  Applying(Database& to, const std::string& state);
  /// Throws SessionError: where the connection was lost nobody knows what became of it.
  void commit() { transaction_.commit(); }

 private:
  Transaction transaction_;
};

/// An expression that is the same for two rows if, and only if, they are alike, ids aside. `table`:
/// one of the two, the same for both.
std::string row_digest(const Table& table, const std::string& row);

}  // namespace reshard
