#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "backends/embedded/find_task.hpp"
#include "backends/embedded/outbox.hpp"
#include "backends/embedded/store.hpp"
#include "backends/embedded/table.hpp"
#include "backends/rpc.hpp"
#include "objects/js_value.hpp"

namespace backends::embedded {

/// An RPC for the owner. Its arguments have been checked.
struct Task {
  Rpc rpc = Rpc::get_object;
  objects::JsArray arguments;
  std::size_t bytes = 0;  ///< of the request
  std::shared_ptr<Outbox> outbox;
  std::uint64_t number = 0;
  std::shared_ptr<Stream> stream;  ///< findObjects only
};

/// The thread that owns an embedded shard's store: every read and write of it happens there, one
/// after another. One for each directory in a process, shared by all workers.
///
/// Order and durability: writes are taken in order of arrival, each seeing those before it, and
/// committed in groups, one (synced) LevelDB write each; they are answered after their group's
/// commit. Reads see what is committed. Where a commit fails, every write of the group is answered
/// with that failure, those too whose verdict was an error: it may have come of a change that is
/// now in doubt.
class Owner {
 public:
  /// Opens the store; throws std::runtime_error.
  Owner(StoreOptions options, bool sync);
  /// Ends the work in hand; what is queued is dropped.
  ~Owner();
  Owner(const Owner&) = delete;
  Owner& operator=(const Owner&) = delete;

  /// Any thread. False: too much is queued, and nothing was taken.
  bool submit(Task&& task);
  /// Any thread: a stream's client has taken rows, or is gone.
  void wake();

  /// Any thread: whether acknowledged writes are on disk, from now on.
  void set_sync(bool sync) { sync_ = sync; }
  /// Any thread: the store's trouble, for status pages; empty: none.
  [[nodiscard]] std::string problem() const;

 private:
  struct Find {
    Task task;
    std::unique_ptr<FindTask> work;  // null until it may begin
  };
  struct Verdict {
    Task task;
    objects::Result<objects::JsArray> values;
  };

  void run();
  std::vector<Task> take_tasks();
  [[nodiscard]] bool has_work() const;
  void serve(std::vector<Task> tasks);
  void answer_read(const Task& task);
  void commit(std::vector<Verdict> verdicts, const Changes& group);
  void step_finds();
  bool step_find(Find& find);
  void purge_dropped();
  void recover_if_possible();
  void note_problem(const std::string& problem);

  std::atomic<bool> sync_;
  Store store_;
  TableCache tables_;
  std::list<Find> finds_;
  bool purge_pending_ = true;  // a crash may have left some
  bool find_progress_ = false;
  std::mt19937_64 random_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> queue_;        // guarded by mutex_
  std::size_t queued_bytes_ = 0;  // guarded by mutex_
  bool woken_ = false;            // guarded by mutex_
  bool stopping_ = false;         // guarded by mutex_
  std::string problem_;           // guarded by mutex_
  std::thread thread_;            // last: starts when all else is there
};

}  // namespace backends::embedded
