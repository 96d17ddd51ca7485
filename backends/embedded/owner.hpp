#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "backends/embedded/finds.hpp"
#include "backends/embedded/limits.hpp"
#include "backends/embedded/outbox.hpp"
#include "backends/embedded/purge.hpp"
#include "backends/embedded/store.hpp"
#include "backends/embedded/table.hpp"
#include "backends/embedded/task_queue.hpp"

namespace backends::embedded {

/// What an owner has to do, for tests and status pages.
struct OwnerLoad {
  std::size_t tasks = 0;  ///< not begun, and finds under way
  std::size_t bytes = 0;  ///< of those
  std::size_t finds_running = 0;
  std::size_t finds_parked = 0;  ///< their readers have enough to read
  bool purging = false;          ///< rows of deleted buckets are left
};

/// The thread that owns an embedded shard's store: every read and write of it happens there, one
/// after another. One for each directory in a process, shared by all workers.
///
/// Order and durability: a worker's writes are taken in order of arrival, and workers take turns;
/// each write sees all those before it. They are committed in groups, one (synced) LevelDB write
/// each; they are answered after their group's commit. Reads see what is committed. Where a commit
/// fails, every write of the group is answered with that failure, those too whose verdict was an
/// error: it may have come of a change that is now in doubt.
class Owner {
 public:
  /// Opens the store; throws std::runtime_error.
  Owner(StoreOptions options, bool sync, const OwnerLimits& limits = {});
  /// Ends the work in hand; what is queued is dropped.
  ~Owner();
  Owner(const Owner&) = delete;
  Owner& operator=(const Owner&) = delete;

  /// Any thread. False: too much is queued, and nothing was taken.
  bool submit(Task&& task);
  /// Any thread. True: the request had not been begun, and never will be. The lock under which the
  /// owner takes a request from the queue decides.
  bool cancel(const Outbox& outbox, std::uint64_t number);
  /// Any thread: a worker's shard goes. Cancels all that it has queued.
  void cancel_all(const Outbox& outbox);
  /// Any thread: a stream's client has taken rows, or is gone, or an outbox has room again. Comes
  /// after the change, and under the lock under which the owner looks before it sleeps, so that no
  /// change is missed.
  void wake();

  /// Any thread: whether acknowledged writes are on disk, from now on.
  void set_sync(bool sync) { sync_ = sync; }
  /// Any thread: the store's trouble, for status pages; empty: none.
  [[nodiscard]] std::string problem() const;
  /// Any thread.
  [[nodiscard]] OwnerLoad load() const;

 private:
  struct Verdict {
    Task task;
    objects::Result<objects::JsArray> values;
  };

  void run();
  bool await_work();
  std::optional<Task> take_task();
  void serve_group();
  void let_others_in();
  void begin_finds();
  void find_ended(std::size_t bytes);
  void answer_read(const Task& task);
  void commit(std::vector<Verdict> verdicts, const Changes& group);
  [[nodiscard]] bool may_purge() const;
  void purge_some();
  void recover_if_possible();
  void note_problem(const std::string& problem);

  std::atomic<bool> sync_;
  Store store_;
  TableCache tables_;
  Finds finds_;
  const TaskQueue::MayBegin may_begin_ = [this](const Outbox& outbox) {
    return finds_.may_begin(outbox);
  };
  Purge purge_{store_};
  bool purge_unread_ = true;  // a crash may have left some
  bool finds_go_on_ = false;
  std::mt19937_64 random_;
  const WriteRules write_rules_;
  std::chrono::steady_clock::time_point others_due_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  TaskQueue queue_;                // guarded by mutex_
  bool woken_ = false;             // guarded by mutex_
  bool stopping_ = false;          // guarded by mutex_
  std::size_t finds_running_ = 0;  // guarded by mutex_; of the last turn
  std::size_t finds_parked_ = 0;   // guarded by mutex_; likewise
  bool purging_ = true;            // guarded by mutex_; likewise
  std::string problem_;            // guarded by mutex_
  std::thread thread_;             // last: starts when all else is there
};

}  // namespace backends::embedded
