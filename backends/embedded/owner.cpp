#include "backends/embedded/owner.hpp"

#include <chrono>
#include <utility>

#include "backends/embedded/answer.hpp"
#include "backends/embedded/operations.hpp"
#include "objects/errors.hpp"
#include "objects/handled_options.hpp"

namespace backends::embedded {
namespace {

using objects::JsArray;

// One group of writes: enough to share a sync, little enough to answer soon.
constexpr std::size_t kGroupTasksMax = 512;
constexpr std::size_t kGroupBytesMax = 8u << 20;
constexpr auto kGroupTimeMax = std::chrono::milliseconds(10);
// While a write looks at many rows, others have a turn so often.
constexpr auto kTimeBetweenOthers = std::chrono::milliseconds(1);
constexpr std::size_t kReadsBetweenRows = 64;
constexpr auto kIdleWait = std::chrono::milliseconds(500);  // between attempts to recover

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

Values perform(Rpc rpc, const Work& work, const JsArray& arguments) {
  switch (rpc) {
    case Rpc::create_bucket: return create_bucket(work, arguments);
    case Rpc::get_bucket: return get_bucket(work, arguments);
    case Rpc::list_buckets: return list_buckets(work);
    case Rpc::update_bucket: return update_bucket(work, arguments);
    case Rpc::del_bucket: return del_bucket(work, arguments);
    case Rpc::put_object: return put_object(work, arguments);
    case Rpc::get_object: return get_object(work, arguments);
    case Rpc::del_object: return del_object(work, arguments);
    case Rpc::update_objects: return update_objects(work, arguments);
    case Rpc::delete_many: return delete_many(work, arguments);
    case Rpc::batch: return batch(work, arguments);
    case Rpc::reindex_objects: return reindex_objects(work, arguments);
    default: return objects::errors::operation_not_supported();
  }
}

/// A read that LevelDB refuses fails this RPC and no other.
Values perform_safely(const Task& task, const Work& work) {
  try {
    return perform(task.rpc, work, task.arguments);
  } catch (const StoreError& error) {
    return store_failed(error.what());
  } catch (const TooLarge& error) {
    return objects::errors::plain(error.what());
  }
}

}  // namespace

Owner::Owner(StoreOptions options, bool sync, const OwnerLimits& limits)
    : sync_(sync), store_(std::move(options)),
      finds_(store_, tables_, limits, [this](std::size_t bytes) { find_ended(bytes); }),
      random_(std::random_device{}()), write_rules_{limits.change_bytes,
                                                    [this] { let_others_in(); }},
      queue_(limits), problem_(store_.problem()) {
  thread_ = std::thread([this] { run(); });
}

Owner::~Owner() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

bool Owner::submit(Task&& task) {
  {
    const std::scoped_lock lock(mutex_);
    if (!queue_.add(std::move(task))) return false;
  }
  changed_.notify_one();
  return true;
}

bool Owner::cancel(const Outbox& outbox, std::uint64_t number) {
  std::optional<Task> removed;  // goes after the lock
  const std::scoped_lock lock(mutex_);
  removed = queue_.remove(outbox, number);
  return removed.has_value();
}

void Owner::cancel_all(const Outbox& outbox) {
  TaskQueue::Tasks removed;  // go after the lock
  const std::scoped_lock lock(mutex_);
  removed = queue_.remove_all(outbox);
}

void Owner::wake() {
  {
    const std::scoped_lock lock(mutex_);
    woken_ = true;
  }
  changed_.notify_one();
}

std::string Owner::problem() const {
  const std::scoped_lock lock(mutex_);
  return problem_;
}

OwnerLoad Owner::load() const {
  const std::scoped_lock lock(mutex_);
  return {queue_.tasks(), queue_.bytes(), finds_running_, finds_parked_, purging_};
}

void Owner::note_problem(const std::string& problem) {
  const std::scoped_lock lock(mutex_);
  problem_ = problem;
}

void Owner::run() {
  while (await_work()) {
    recover_if_possible();
    serve_group();
    begin_finds();
    finds_go_on_ = finds_.step();
    purge_some();
  }
  finds_.clear();  // before the store
}

/// False: it is time to stop.
bool Owner::await_work() {
  bool woken;
  {
    std::unique_lock lock(mutex_);
    finds_running_ = finds_.running();
    finds_parked_ = finds_.parked();
    purging_ = may_purge();
    const auto ready = [this] {
      return stopping_ || woken_ || queue_.has_point() || queue_.has_find(may_begin_);
    };
    if (!finds_go_on_ && !purging_) {
      if (store_.failed())
        changed_.wait_for(lock, kIdleWait, ready);
      else
        changed_.wait(lock, ready);
    }
    if (stopping_) return false;
    woken = std::exchange(woken_, false);
  }
  if (woken) finds_.look_at_parked();
  return true;
}

std::optional<Task> Owner::take_task() {
  const std::scoped_lock lock(mutex_);
  return queue_.take();
}

/// Each task is taken when its turn has come, not before: until then it can be cancelled.
void Owner::serve_group() {
  Changes group;
  std::vector<Verdict> verdicts;
  std::size_t bytes = 0;
  const auto end = std::chrono::steady_clock::now() + kGroupTimeMax;
  for (std::size_t tasks = 0; tasks < kGroupTasksMax && bytes < kGroupBytesMax; ++tasks) {
    if (tasks > 0 && std::chrono::steady_clock::now() >= end) break;
    std::optional<Task> task = take_task();
    if (!task) break;
    bytes += task->bytes;
    if (is_read(task->rpc)) {
      answer_read(*task);
      continue;
    }
    try {
      Transaction transaction(store_.db(), group, &write_rules_);
      const Work work{transaction, tables_, now_ms(), random_()};
      Values values = perform_safely(*task, work);
      if (values) transaction.absorb_into(group);
      verdicts.push_back({*std::move(task), std::move(values)});
    } catch (const StoreError& error) {
      verdicts.push_back({*std::move(task), store_failed(error.what())});
    }
  }
  if (!verdicts.empty()) commit(std::move(verdicts), group);
}

/// What a write that looks at many rows lets others do: reads, and finds that have begun. They see
/// what is committed, as they would have before the write began; it sees nothing of them.
void Owner::let_others_in() {
  const auto now = std::chrono::steady_clock::now();
  if (now < others_due_) return;
  for (std::size_t reads = 0; reads < kReadsBetweenRows; ++reads) {
    std::optional<Task> task;
    {
      const std::scoped_lock lock(mutex_);
      task = queue_.take_read();
    }
    if (!task) break;
    answer_read(*task);
  }
  finds_go_on_ = finds_.step();
  others_due_ = std::chrono::steady_clock::now() + kTimeBetweenOthers;
}

void Owner::begin_finds() {
  const std::scoped_lock lock(mutex_);
  while (std::optional<Task> task = queue_.take_find(may_begin_)) finds_.begin(*std::move(task));
}

void Owner::find_ended(std::size_t bytes) {
  const std::scoped_lock lock(mutex_);
  queue_.ended(bytes);
}

void Owner::answer_read(const Task& task) {
  if (task.rpc == Rpc::get_object && objects::wants_handled_options(task.arguments[2]))
    send_value(task, objects::kGetHandledOptions);
  try {
    const Changes nothing;
    Transaction transaction(store_.db(), nothing);
    answer(task, perform_safely(task, {transaction, tables_, now_ms(), 0}));
  } catch (const StoreError& error) {
    answer(task, store_failed(error.what()));
  }
}

void Owner::commit(std::vector<Verdict> verdicts, const Changes& group) {
  const auto problem = group.empty() ? std::nullopt : store_.commit(group, sync_);
  if (problem) note_problem(*problem);
  if (!problem && purge_.add(group)) {
    const std::scoped_lock lock(mutex_);
    purging_ = true;  // before the answer, so that who has it sees that
  }
  for (const Verdict& verdict : verdicts)
    answer(verdict.task, problem ? Values(store_failed(*problem)) : verdict.values);
}

bool Owner::may_purge() const { return !store_.failed() && (purge_unread_ || purge_.pending()); }

void Owner::purge_some() {
  if (!may_purge()) return;
  try {
    if (std::exchange(purge_unread_, false)) purge_.begin();
    if (const auto problem = purge_.step()) note_problem(*problem);
  } catch (const StoreError& error) {
    purge_.stop();  // the next start tries again
    note_problem(error.what());
  }
}

void Owner::recover_if_possible() {
  if (!store_.failed() || !store_.may_recover()) return;
  finds_.end_all(
      {FailureKind::connection_lost, "the embedded shard was opened again after a failed write"});
  if (store_.recover()) {
    note_problem("");
    purge_unread_ = true;
  } else {
    note_problem(store_.problem());
  }
}

}  // namespace backends::embedded
