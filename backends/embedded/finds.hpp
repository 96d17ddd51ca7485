#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>

#include "backends/embedded/find_task.hpp"
#include "backends/embedded/limits.hpp"
#include "backends/embedded/store.hpp"
#include "backends/embedded/table.hpp"
#include "backends/embedded/task.hpp"

namespace backends::embedded {

/// An owner's finds that have begun. Lives on the owner's thread.
///
/// Turns: workers take turns, and so do the finds of each; a turn is one slice.
///
/// Slow readers: a find of which Stream::kUnreadMax lie unread is parked. It does not run, and
/// counts among those that may run no more; it goes on when its reader has taken a half. It keeps
/// its place in the rows by key, and of LevelDB a snapshot only: a number, for which a compaction
/// keeps the rows as they were. An iterator would keep a block of each file and, worse, the
/// memtable of its time, 16 MiB. Of those that are parked, so many, the one whose reader has taken
/// nothing for the longest time is ended with an OverloadedError.
///
/// Sorts: keys to sort by are kept in memory, of all finds together so many bytes. Beyond that the
/// find that has most of them is ended.
class Finds {
 public:
  /// `ended` is told the `Task::bytes` of each find that is over.
  using Ended = std::function<void(std::size_t bytes)>;
  Finds(Store& store, TableCache& tables, const OwnerLimits& limits, Ended ended);

  /// Whether another one of this worker may run.
  [[nodiscard]] bool may_begin(const Outbox& outbox) const;
  void begin(Task task);
  /// A few slices, so that others soon have their turn. True: there is more to do now.
  bool step();
  /// To be called after a reader took something, or left.
  void look_at_parked();
  /// All end so. No iterator or snapshot is left.
  void end_all(const Failure& failure);
  /// As above, and nobody is told.
  void clear();

  [[nodiscard]] std::size_t running() const { return running_count_; }
  [[nodiscard]] std::size_t parked() const { return parked_.size(); }

 private:
  struct Find {
    Task task;
    std::unique_ptr<FindTask> work;  // null until its first turn
    std::uint64_t rows_as_of = 0;    // Store::written_bytes when it opened its iterator
    std::size_t sort_bytes = 0;
    std::int64_t unread = 0;  // parked: as of its last look
  };
  using List = std::list<Find>;
  using Lanes = std::map<const Outbox*, List>;  // none is empty
  enum class Turn : std::uint8_t { over, goes_on, waits_for_reader };

  Lanes::iterator next_lane();
  Turn step_find(Find& find);
  void take_turn(Find& find);
  void leave_lane(Lanes::iterator lane, List& to);
  void end(List& list, List::iterator find);
  static void fail(const Find& find, const Failure& failure);
  void bound_parked();
  void end_slowest();
  [[nodiscard]] std::size_t unread_of_parked() const;
  void bound_sorts();

  Store& store_;
  TableCache& tables_;
  OwnerLimits limits_;
  Ended ended_;
  Lanes running_;
  const Outbox* last_ = nullptr;  // whose turn was the last; compared, never followed
  std::size_t running_count_ = 0;
  List parked_;  // by the time at which its reader was last seen to have taken something
  std::size_t sort_bytes_ = 0;
};

}  // namespace backends::embedded
