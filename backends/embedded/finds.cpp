#include "backends/embedded/finds.hpp"

#include <algorithm>

#include "backends/embedded/answer.hpp"
#include "objects/errors.hpp"

namespace backends::embedded {
namespace {

// Of a quarter of a millisecond each, between two groups.
constexpr std::size_t kSlicesPerTurn = 8;
// An iterator keeps the memtable of its time; after a memtable's worth of writes it is renewed.
constexpr std::uint64_t kWritesOfAnIterator = 16u << 20;

std::string mebibytes(std::size_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

}  // namespace

Finds::Finds(Store& store, TableCache& tables, const OwnerLimits& limits, Ended ended)
    : store_(store), tables_(tables), limits_(limits), ended_(std::move(ended)) {}

bool Finds::may_begin(const Outbox& outbox) const {
  const auto lane = running_.find(&outbox);
  return lane == running_.end() || lane->second.size() < limits_.finds_running;
}

void Finds::begin(Task task) {
  List& lane = running_[task.outbox.get()];
  lane.emplace_back();
  lane.back().task = std::move(task);
  ++running_count_;
}

/// The next whose outbox has room.
Finds::Lanes::iterator Finds::next_lane() {
  auto lane = running_.upper_bound(last_);
  for (std::size_t looked_at = 0; looked_at < running_.size(); ++looked_at, ++lane) {
    if (lane == running_.end()) lane = running_.begin();
    if (lane->first->has_room()) return lane;
  }
  return running_.end();
}

bool Finds::step() {
  for (std::size_t slices = 0; slices < kSlicesPerTurn; ++slices) {
    const auto lane = next_lane();
    if (lane == running_.end()) return false;
    last_ = lane->first;
    List& list = lane->second;
    switch (step_find(list.front())) {
      case Turn::goes_on: list.splice(list.end(), list, list.begin()); break;
      case Turn::waits_for_reader:
        leave_lane(lane, parked_);
        bound_parked();
        break;
      case Turn::over: {
        List over;
        leave_lane(lane, over);
        end(over, over.begin());
      }
    }
    bound_sorts();
  }
  return next_lane() != running_.end();
}

/// The lane's first goes to the end of another list.
void Finds::leave_lane(Lanes::iterator lane, List& to) {
  to.splice(to.end(), lane->second, lane->second.begin());
  if (lane->second.empty()) running_.erase(lane);
  --running_count_;
}

Finds::Turn Finds::step_find(Find& find) {
  Stream& stream = *find.task.stream;
  if (stream.cancelled) return Turn::over;
  try {
    take_turn(find);
    const FindTask::Slice slice = find.work->step();
    sort_bytes_ += find.work->sort_bytes() - find.sort_bytes;
    find.sort_bytes = find.work->sort_bytes();
    for (const std::string& value : slice.values) send_value(find.task, value);
    if (slice.done) {
      answer(find.task, slice.error ? objects::Result<objects::JsArray>(*slice.error)
                                    : objects::Result<objects::JsArray>(objects::JsArray{}));
      return Turn::over;
    }
  } catch (const StoreError& error) {
    answer(find.task, store_failed(error.what()));
    return Turn::over;
  }
  find.unread = stream.unread_bytes;
  if (find.unread < Stream::kUnreadMax) return Turn::goes_on;
  find.work->rest();
  return Turn::waits_for_reader;
}

/// What it needs of LevelDB, not older than it may be.
void Finds::take_turn(Find& find) {
  const std::uint64_t written = store_.written_bytes();
  if (!find.work) {
    find.work = std::make_unique<FindTask>(store_.db(), tables_, find.task.arguments);
    find.task.arguments = {};
    find.rows_as_of = written;
  } else if (written - find.rows_as_of >= kWritesOfAnIterator) {
    find.work->rest();
    find.rows_as_of = written;
  }
}

/// No wake is missed: a reader that takes what was unread when its find was parked tells the owner
/// after it has taken it, and the owner looks here after each word of that kind.
void Finds::look_at_parked() {
  for (auto find = parked_.begin(); find != parked_.end();) {
    const auto here = find++;
    const Stream& stream = *here->task.stream;
    if (stream.cancelled) {
      end(parked_, here);
    } else if (stream.unread_bytes < Stream::kUnreadLow) {
      List& lane = running_[here->task.outbox.get()];
      lane.splice(lane.end(), parked_, here);
      ++running_count_;
    }
  }
}

std::size_t Finds::unread_of_parked() const {
  std::size_t bytes = 0;
  for (const Find& find : parked_)
    bytes += static_cast<std::size_t>(std::max<std::int64_t>(0, find.task.stream->unread_bytes));
  return bytes;
}

void Finds::bound_parked() {
  while (parked_.size() > limits_.finds_parked ||
         (parked_.size() > 1 && unread_of_parked() > limits_.parked_bytes))
    end_slowest();
}

/// One whose reader has taken something since its last look has a second chance. O(parked).
void Finds::end_slowest() {
  for (std::size_t looked_at = 1; looked_at < parked_.size(); ++looked_at) {
    Find& first = parked_.front();
    const std::int64_t unread = first.task.stream->unread_bytes;
    if (unread >= first.unread || first.task.stream->cancelled) break;
    first.unread = unread;
    parked_.splice(parked_.end(), parked_, parked_.begin());
  }
  fail(parked_.front(), {FailureKind::overloaded,
                         "too many finds of the embedded shard wait for their readers, and this "
                         "one's has taken nothing for the longest time"});
  end(parked_, parked_.begin());
}

/// The largest ends, so that one that sorts much is not in the way of many that sort little.
void Finds::bound_sorts() {
  while (sort_bytes_ > limits_.sort_bytes) {
    List* list = nullptr;
    List::iterator largest;
    const auto look_at = [&](List& finds) {
      for (auto find = finds.begin(); find != finds.end(); ++find) {
        if (list != nullptr && find->sort_bytes <= largest->sort_bytes) continue;
        list = &finds;
        largest = find;
      }
    };
    look_at(parked_);
    for (auto& [outbox, finds] : running_) look_at(finds);
    if (largest->sort_bytes > limits_.sort_bytes)
      answer(largest->task,
             objects::errors::plain("sorting " + std::to_string(largest->work->matches()) +
                                    " objects needs more than " + mebibytes(limits_.sort_bytes) +
                                    " of memory: give a limit"));
    else
      fail(*largest,
           {FailureKind::overloaded,
            "the finds of the embedded shard need more than " + mebibytes(limits_.sort_bytes) +
                " of memory to sort, and this one the most of it: give a limit"});
    if (list == &parked_) {
      end(parked_, largest);
      continue;
    }
    end(*list, largest);
    --running_count_;
    std::erase_if(running_, [](const auto& lane) { return lane.second.empty(); });
  }
}

void Finds::fail(const Find& find, const Failure& failure) {
  find.task.outbox->send({find.task.number, Message::Kind::failure, {}, failure});
}

void Finds::end(List& list, List::iterator find) {
  sort_bytes_ -= find->sort_bytes;
  ended_(find->task.bytes);
  list.erase(find);
}

void Finds::end_all(const Failure& failure) {
  for (const Find& find : parked_) fail(find, failure);
  for (const auto& [outbox, finds] : running_)
    for (const Find& find : finds) fail(find, failure);
  clear();
}

void Finds::clear() {
  while (!parked_.empty()) end(parked_, parked_.begin());
  for (auto& [outbox, finds] : running_)
    while (!finds.empty()) end(finds, finds.begin());
  running_.clear();
  running_count_ = 0;
}

}  // namespace backends::embedded
