#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <leveldb/db.h>

#include "backends/embedded/access_path.hpp"
#include "backends/embedded/table.hpp"
#include "objects/condition.hpp"
#include "objects/selection.hpp"

namespace backends::embedded {

/// One findObjects, over a snapshot of the store, done in slices so that a long one holds nobody
/// up. Lives on the owner's thread; must be gone before the store is closed.
///
/// moray counts and selects by what its columns decide, and looks each selected row up in memory
/// afterwards (spec moray-rpc 9). So do we: where rows must be counted or sorted, a first pass
/// counts them and keeps the sort keys, and a second one emits.
class FindTask {
 public:
  FindTask(leveldb::DB& db, TableCache& tables, const objects::JsArray& arguments);
  ~FindTask();
  FindTask(const FindTask&) = delete;
  FindTask& operator=(const FindTask&) = delete;

  struct Slice {
    std::vector<std::string> values;  ///< JSON texts, in order
    bool done = false;
    objects::Failed error;  ///< follows the values; only where done
  };
  /// Goes on for a quarter of a millisecond. Throws StoreError.
  Slice step();
  /// Lets go of what LevelDB keeps in memory for it; the next step takes it anew. O(log rows).
  void rest();

  /// Of the keys that it keeps to sort by.
  [[nodiscard]] std::size_t sort_bytes() const { return candidate_bytes_; }
  /// Rows that it has counted.
  [[nodiscard]] std::int64_t matches() const { return matches_; }

 private:
  /// A row that a sorting find selected.
  struct Candidate {
    std::vector<objects::Column> values;
    std::string stored_key;
    std::size_t bytes = 0;
  };

  objects::Failed begin(leveldb::DB& db, TableCache& tables, const objects::JsArray& arguments);
  Slice step_phase();
  void open_rows();
  void rewind();
  [[nodiscard]] bool at_end() const;
  void count_rows(Slice& slice);
  void sort_some();
  void emit_in_key_order(Slice& slice);
  void emit_sorted(Slice& slice);
  void emit(const objects::Row& row, Slice& slice);
  void collect(const objects::Row& row, std::string stored_key);
  [[nodiscard]] bool comes_before(const Candidate& a, const Candidate& b) const;
  [[nodiscard]] objects::Row current_row();
  [[nodiscard]] std::uint64_t wanted() const;

  leveldb::DB& db_;
  const leveldb::Snapshot* snapshot_ = nullptr;
  std::unique_ptr<leveldb::Iterator> rows_;  // null before the first step, and at rest
  std::string resume_at_;                    // where it begins anew
  std::size_t largest_row_ = 0;              // of this step
  TablePointer table_;
  objects::Condition condition_;
  objects::Selection selection_;
  AccessPath path_;

  std::vector<std::string> first_values_;
  objects::Failed failed_;  // found while beginning
  enum class Phase : std::uint8_t { counting, sorting, emitting } phase_ = Phase::counting;
  bool count_wanted_ = true;
  std::int64_t matches_ = 0;
  std::uint64_t passed_ = 0;           // matches gone by while emitting
  std::vector<Candidate> candidates_;  // a heap by sort order while counting; then sorted
  std::size_t unsorted_ = 0;           // of them, at the beginning: still a heap
  std::size_t candidate_bytes_ = 0;
};

}  // namespace backends::embedded
