#include "coordination/memory_session.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace coordination {

MemorySession::MemorySession(MemoryStore& store, std::int64_t id) : store_(store), id_(id) {
  store_.sessions_.emplace(id, this);
}

MemorySession::~MemorySession() {
  alive_.reset();
  store_.end(id_);
}

/// Nothing is called back of a session that is gone.
template <typename Call>
void MemorySession::later(Call call) {
  store_.post_([alive = std::weak_ptr<char>(alive_), call = std::move(call)]() mutable {
    if (!alive.expired()) call();
  });
}

void MemorySession::become(State next) {
  if (state_ == next || state_ == State::expired) return;
  state_ = next;
  if (next != State::connecting)
    for (auto& each : std::exchange(waiting_, {})) later(std::move(each));
  if (next == State::expired)
    for (Watching& each : std::exchange(watches_, {})) later(std::move(each.changed));
  later([this, next] {
    if (const auto changed = changed_) changed(next);
  });
}

/// Each watch is told once.
void MemorySession::tell(const std::string& path, bool children) {
  const auto told = std::stable_partition(
      watches_.begin(), watches_.end(),
      [&](const Watching& each) { return each.path != path || each.children != children; });
  std::vector<Watching> due(std::make_move_iterator(told), std::make_move_iterator(watches_.end()));
  watches_.erase(told, watches_.end());
  for (Watching& each : due) {
    if (state_ == State::connecting)
      waiting_.push_back(std::move(each.changed));  // nobody tells it before it is connected again
    else
      later(std::move(each.changed));
  }
}

void MemorySession::get(const std::string& path, Watch watch, GotNode got) {
  if (!well_formed(path)) return later([got = std::move(got)] { got(Outcome::refused, {}); });
  auto unknown = [got] { got(Outcome::unknown, {}); };
  if (state_ == State::expired) return later(std::move(unknown));
  if (state_ == State::connecting) return waiting_.emplace_back(std::move(unknown)), void();
  if (watch) watches_.push_back({path, false, std::move(watch)});
  const auto found = store_.nodes_.find(path);
  const bool there = found != store_.nodes_.end();
  later([got = std::move(got), outcome = there ? Outcome::done : Outcome::no_node,
         node = there ? found->second : Node()] { got(outcome, node); });
}

void MemorySession::children(const std::string& path, Watch watch, GotChildren got) {
  if (!well_formed(path)) return later([got = std::move(got)] { got(Outcome::refused, {}); });
  auto unknown = [got] { got(Outcome::unknown, {}); };
  if (state_ == State::expired) return later(std::move(unknown));
  if (state_ == State::connecting) return waiting_.emplace_back(std::move(unknown)), void();
  if (!store_.nodes_.contains(path))
    return later([got = std::move(got)] { got(Outcome::no_node, {}); });
  if (watch) watches_.push_back({path, true, std::move(watch)});
  later([got = std::move(got), names = store_.children_of(path)] { got(Outcome::done, names); });
}

void MemorySession::create(Create create, Done done) {
  write_one(std::move(create), std::move(done));
}
void MemorySession::set(Set set, Done done) { write_one(std::move(set), std::move(done)); }
void MemorySession::remove(Remove remove, Done done) {
  write_one(std::move(remove), std::move(done));
}

void MemorySession::write_one(Write write, Done done) {
  transact({std::move(write)},
           [done = std::move(done)](Outcome outcome, std::size_t) { done(outcome); });
}

void MemorySession::transact(std::vector<Write> writes, GotAll done) {
  if (!refusal(writes).empty())
    return later([done = std::move(done)] { done(Outcome::refused, 0); });
  auto unknown = [done] { done(Outcome::unknown, 0); };
  if (state_ == State::expired) return later(std::move(unknown));
  if (state_ == State::connecting) return waiting_.emplace_back(std::move(unknown)), void();
  const std::optional<bool> lost = std::exchange(lose_answer_, std::nullopt);
  if (lost == false) return later(std::move(unknown));
  const MemoryStore::Applied applied = store_.apply(id_, writes);
  if (lost) return later(std::move(unknown));
  later([done = std::move(done), applied] { done(applied.outcome, applied.failed); });
}

}  // namespace coordination
