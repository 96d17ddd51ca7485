#include "backends/embedded/task_queue.hpp"

#include <algorithm>

namespace backends::embedded {

bool TaskQueue::Lane::is_before(Kind one, Kind other) const {
  if (of(one).empty()) return false;
  return of(other).empty() || of(one).begin()->first < of(other).begin()->first;
}

bool TaskQueue::Lane::empty() const {
  return std::all_of(tasks.begin(), tasks.end(), [](const Tasks& kind) { return kind.empty(); });
}

bool TaskQueue::add(Task&& task) {
  // A large one finds room while less than half is taken: small ones don't shut it out for ever.
  const bool room = bytes_ < bytes_max_ / 2 || bytes_ + task.bytes <= bytes_max_;
  if (tasks_ >= tasks_max_ || !room) return false;
  ++tasks_;
  bytes_ += task.bytes;
  Tasks& tasks = lanes_[task.outbox.get()].tasks[task.stream         ? find
                                                 : is_read(task.rpc) ? read
                                                                     : write];
  const std::uint64_t number = task.number;
  tasks.emplace_hint(tasks.end(), number, std::move(task));
  return true;
}

bool TaskQueue::point_is_next(const Lanes::value_type& lane) {
  return !(lane.second.of(read).empty() && lane.second.of(write).empty()) && lane.first->has_room();
}

bool TaskQueue::find_is_next(const Lanes::value_type& lane, const MayBegin& may_begin) {
  const auto& [outbox, tasks] = lane;
  return tasks.is_before(find, read) && tasks.is_before(find, write) && outbox->has_room() &&
         may_begin(*outbox);
}

/// The first lane that is ready after the one whose turn was the last.
template <typename Ready>
TaskQueue::Lanes::iterator TaskQueue::next(const Outbox*& last, Ready ready) {
  auto lane = lanes_.upper_bound(last);
  for (std::size_t looked_at = 0; looked_at < lanes_.size(); ++looked_at, ++lane) {
    if (lane == lanes_.end()) lane = lanes_.begin();
    if (!ready(*lane)) continue;
    last = lane->first;
    return lane;
  }
  return lanes_.end();
}

Task TaskQueue::take_from(Lanes::iterator lane, Kind kind, Tasks::iterator task) {
  Task taken = std::move(task->second);
  lane->second.tasks[kind].erase(task);
  if (lane->second.empty()) lanes_.erase(lane);
  return taken;
}

Task TaskQueue::take_first(Lanes::iterator lane, Kind kind) {
  return take_from(lane, kind, lane->second.tasks[kind].begin());
}

std::optional<Task> TaskQueue::take() {
  const auto lane = next(last_point_, point_is_next);
  if (lane == lanes_.end()) return std::nullopt;
  Task task = take_first(lane, lane->second.is_before(read, write) ? read : write);
  ended(task.bytes);
  return task;
}

std::optional<Task> TaskQueue::take_read() {
  const auto lane = next(last_point_, [](const Lanes::value_type& one) {
    return !one.second.of(read).empty() && one.first->has_room();
  });
  if (lane == lanes_.end()) return std::nullopt;
  Task task = take_first(lane, read);
  ended(task.bytes);
  return task;
}

std::optional<Task> TaskQueue::take_find(const MayBegin& may_begin) {
  const auto lane = next(last_find_, [&](const auto& one) { return find_is_next(one, may_begin); });
  if (lane == lanes_.end()) return std::nullopt;
  return take_first(lane, find);
}

void TaskQueue::ended(std::size_t find_bytes) {
  --tasks_;
  bytes_ -= find_bytes;
}

std::optional<Task> TaskQueue::remove(const Outbox& outbox, std::uint64_t number) {
  const auto lane = lanes_.find(&outbox);
  if (lane == lanes_.end()) return std::nullopt;
  for (const Kind kind : {read, write, find}) {
    const auto task = lane->second.tasks[kind].find(number);
    if (task == lane->second.tasks[kind].end()) continue;
    ended(task->second.bytes);
    return take_from(lane, kind, task);
  }
  return std::nullopt;
}

TaskQueue::Tasks TaskQueue::remove_all(const Outbox& outbox) {
  Tasks removed;
  const auto lane = lanes_.find(&outbox);
  if (lane == lanes_.end()) return removed;
  for (Tasks& tasks : lane->second.tasks) removed.merge(tasks);
  lanes_.erase(lane);
  for (const auto& [number, task] : removed) ended(task.bytes);
  return removed;
}

bool TaskQueue::has_point() const {
  return std::any_of(lanes_.begin(), lanes_.end(), point_is_next);
}

bool TaskQueue::has_find(const MayBegin& may_begin) const {
  return std::any_of(lanes_.begin(), lanes_.end(),
                     [&](const auto& lane) { return find_is_next(lane, may_begin); });
}

}  // namespace backends::embedded
