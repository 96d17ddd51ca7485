#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>

#include "backends/embedded/limits.hpp"
#include "backends/embedded/task.hpp"

namespace backends::embedded {

/// What the workers have asked an owner for and it has not begun: a lane for each worker, which
/// take turns, so that no worker waits for all that another one has queued. Not thread-safe: the
/// owner's lock guards it, and so decides whether a request is begun or cancelled, never both.
///
/// A worker whose outbox has no room misses its turns; its requests can still be cancelled.
///
/// Order: a worker's point requests are taken as they were submitted, unless only reads are asked
/// for. A find is taken when all
/// that its worker submitted before it have been.
///
/// Bounds: so many requests and bytes wait (one large request may overrun them); a find counts
/// until it has ended. What is removed gives back its place, and its memory, at once.
class TaskQueue {
 public:
  using Tasks = std::map<std::uint64_t, Task>;  ///< by number: in order of submission

  explicit TaskQueue(const OwnerLimits& limits)
      : tasks_max_(limits.tasks), bytes_max_(limits.bytes) {}

  /// False: a bound is reached, and nothing was taken.
  bool add(Task&& task);
  /// The next point request. O(workers).
  std::optional<Task> take();
  /// Whether another find of this worker may begin.
  using MayBegin = std::function<bool(const Outbox&)>;
  /// The next read: reads may pass by the writes that were submitted before them, as reads never
  /// see what is not committed. O(workers).
  std::optional<Task> take_read();
  /// The next find. `ended` once it has.
  std::optional<Task> take_find(const MayBegin& may_begin);
  void ended(std::size_t find_bytes);

  /// The request, which then was not begun and never will be; nullopt: it is not here.
  std::optional<Task> remove(const Outbox& outbox, std::uint64_t number);
  /// Everything of a worker's shard.
  Tasks remove_all(const Outbox& outbox);

  /// Whether `take`, `take_find` would find one.
  [[nodiscard]] bool has_point() const;
  [[nodiscard]] bool has_find(const MayBegin& may_begin) const;
  [[nodiscard]] std::size_t tasks() const { return tasks_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  enum Kind : std::uint8_t { read, write, find };
  /// A worker's tasks by kind.
  struct Lane {
    std::array<Tasks, 3> tasks;
    [[nodiscard]] const Tasks& of(Kind kind) const { return tasks[kind]; }
    /// Whether `one` has a task, and it was submitted before all of `other`.
    [[nodiscard]] bool is_before(Kind one, Kind other) const;
    [[nodiscard]] bool empty() const;
  };
  /// A lane stays while it has a task, whose pointer keeps its outbox.
  using Lanes = std::map<const Outbox*, Lane>;

  [[nodiscard]] static bool point_is_next(const Lanes::value_type& lane);
  [[nodiscard]] static bool find_is_next(const Lanes::value_type& lane, const MayBegin& may_begin);
  template <typename Ready>
  Lanes::iterator next(const Outbox*& last, Ready ready);
  Task take_from(Lanes::iterator lane, Kind kind, Tasks::iterator task);
  Task take_first(Lanes::iterator lane, Kind kind);

  std::size_t tasks_max_;
  std::size_t bytes_max_;
  Lanes lanes_;
  const Outbox* last_point_ = nullptr;  // whose turn was the last; compared, never followed
  const Outbox* last_find_ = nullptr;
  std::size_t tasks_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace backends::embedded
