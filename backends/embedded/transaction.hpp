#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include <leveldb/db.h>

namespace backends::embedded {

/// LevelDB refused: a read that failed, a damaged table.
class StoreError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Throws StoreError for all but success.
void check(const leveldb::Status& status);

/// A write takes more memory than it may. The text is for the client.
class TooLarge : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// What a write may take, and what it lets others do meanwhile.
struct WriteRules {
  std::size_t bytes_max = 0;           ///< of memory, until it is committed
  std::function<void()> between_rows;  ///< called every few rows of a scan
};

/// Writes that are not in LevelDB yet; nullopt: erased.
using Changes = std::map<std::string, std::optional<std::string>, std::less<>>;

/// One RPC's view of the store: what is committed, under the changes of its group, under its own.
/// Lives on the owner's thread, for one RPC. Every read throws StoreError when LevelDB fails.
///
/// Isolation: the owner runs one transaction at a time, so that each sees the whole of those
/// before it and nothing of those after; `absorb_into` makes its changes part of the group that
/// is committed in one write, and a transaction that is dropped leaves no trace.
class Transaction {
 public:
  /// `rules`: null for a read.
  Transaction(leveldb::DB& db, const Changes& group, const WriteRules* rules = nullptr)
      : db_(db), group_(group), rules_(rules) {}

  [[nodiscard]] std::optional<std::string> get(const std::string& key) const;
  void put(std::string key, std::string value);
  void erase(std::string key);
  /// To be told of what a write keeps besides its changes. Throws TooLarge.
  void charge(std::size_t bytes);

  /// Calls `visit` for each entry whose key begins with `prefix`, in order; false stops. What
  /// `visit` writes is not seen by this scan.
  void scan(const std::string& prefix,
            const std::function<bool(std::string_view key, std::string_view value)>& visit) const;

  void absorb_into(Changes& group);
  [[nodiscard]] bool empty() const { return own_.empty(); }

 private:
  [[nodiscard]] Changes changes_under(const std::string& prefix) const;

  leveldb::DB& db_;
  const Changes& group_;
  const WriteRules* rules_;
  Changes own_;
  std::size_t bytes_ = 0;  // charged so far
};

/// A key that must be there and a number.
std::uint64_t number_at(const Transaction& transaction, const std::string& key,
                        std::uint64_t otherwise);

}  // namespace backends::embedded
