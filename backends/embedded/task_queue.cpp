#include "backends/embedded/task_queue.hpp"

#include <algorithm>

namespace backends::embedded {

bool TaskQueue::add(Task&& task) {
  // A large one finds room while less than half is taken: small ones don't shut it out for ever.
  const bool room = bytes_ < bytes_max_ / 2 || bytes_ + task.bytes <= bytes_max_;
  if (tasks_ >= tasks_max_ || !room) return false;
  ++tasks_;
  bytes_ += task.bytes;
  Lane& lane = lanes_[task.outbox.get()];
  Tasks& tasks = task.stream ? lane.finds : lane.points;
  const std::uint64_t number = task.number;
  tasks.emplace_hint(tasks.end(), number, std::move(task));
  return true;
}

bool TaskQueue::point_is_next(const Lanes::value_type& lane) {
  return !lane.second.points.empty() && lane.first->has_room();
}

bool TaskQueue::find_is_next(const Lanes::value_type& lane, const MayBegin& may_begin) {
  const auto& [outbox, tasks] = lane;
  return !tasks.finds.empty() &&
         (tasks.points.empty() || tasks.finds.begin()->first < tasks.points.begin()->first) &&
         outbox->has_room() && may_begin(*outbox);
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

Task TaskQueue::take_from(Lanes::iterator lane, Tasks Lane::*tasks, Tasks::iterator task) {
  Task taken = std::move(task->second);
  (lane->second.*tasks).erase(task);
  if (lane->second.points.empty() && lane->second.finds.empty()) lanes_.erase(lane);
  return taken;
}

std::optional<Task> TaskQueue::take() {
  const auto lane = next(last_point_, point_is_next);
  if (lane == lanes_.end()) return std::nullopt;
  Task task = take_from(lane, &Lane::points, lane->second.points.begin());
  ended(task.bytes);
  return task;
}

std::optional<Task> TaskQueue::take_find(const MayBegin& may_begin) {
  const auto lane = next(last_find_, [&](const auto& one) { return find_is_next(one, may_begin); });
  if (lane == lanes_.end()) return std::nullopt;
  return take_from(lane, &Lane::finds, lane->second.finds.begin());
}

void TaskQueue::ended(std::size_t find_bytes) {
  --tasks_;
  bytes_ -= find_bytes;
}

std::optional<Task> TaskQueue::remove(const Outbox& outbox, std::uint64_t number) {
  const auto lane = lanes_.find(&outbox);
  if (lane == lanes_.end()) return std::nullopt;
  for (Tasks Lane::*tasks : {&Lane::points, &Lane::finds}) {
    const auto task = (lane->second.*tasks).find(number);
    if (task == (lane->second.*tasks).end()) continue;
    ended(task->second.bytes);
    return take_from(lane, tasks, task);
  }
  return std::nullopt;
}

TaskQueue::Tasks TaskQueue::remove_all(const Outbox& outbox) {
  const auto lane = lanes_.find(&outbox);
  if (lane == lanes_.end()) return {};
  Tasks tasks = std::move(lane->second.points);
  tasks.merge(lane->second.finds);
  lanes_.erase(lane);
  for (const auto& [number, task] : tasks) ended(task.bytes);
  return tasks;
}

bool TaskQueue::has_point() const {
  return std::any_of(lanes_.begin(), lanes_.end(), point_is_next);
}

bool TaskQueue::has_find(const MayBegin& may_begin) const {
  return std::any_of(lanes_.begin(), lanes_.end(),
                     [&](const auto& lane) { return find_is_next(lane, may_begin); });
}

}  // namespace backends::embedded
