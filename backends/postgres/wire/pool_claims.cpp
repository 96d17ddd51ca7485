// Pool's connections for exclusive use: who has one, and who waits.
#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>

#include "backends/postgres/wire/pool.hpp"

namespace backends::postgres {

using State = Connection::State;

Pool::Lease::~Lease() {
  if (pool_ != nullptr) pool_->give_back(slot_);
}

Connection& Pool::Lease::operator*() const { return *pool_->exclusives_[slot_]->connection; }

Pool::Claim Pool::exclusive(bool stream, const bool* given_up) {
  return Claim(*this, stream, given_up);
}

/// Streams leave one: a batch must not wait for readers who take their time.
bool Pool::streams_may_have_more() const {
  std::size_t streams = 0;
  for (const auto& slot : exclusives_) streams += slot->leased && slot->to_stream ? 1u : 0u;
  return streams < std::max<std::size_t>(1, exclusives_.size() - 1);
}

bool Pool::lease_to(Waiting& waiting) {
  if (waiting.stream && !streams_may_have_more()) return false;
  for (std::size_t i = 0; i < exclusives_.size(); ++i) {
    Slot& slot = *exclusives_[i];
    if (slot.leased || slot.connection == nullptr || slot.connection->state() != State::up)
      continue;
    slot.leased = true;
    slot.to_stream = waiting.stream;
    waiting.lease = Lease(this, i);
    return true;
  }
  return false;
}

std::size_t Pool::streams_waiting() const {
  return static_cast<std::size_t>(std::count_if(waiting_.begin(), waiting_.end(),
                                                [](const Waiting* each) { return each->stream; }));
}

void Pool::drop_given_up() {
  if (std::exchange(dropping_, true)) return;
  boost::asio::post(loop_, lifetime_.guard([this] {
    dropping_ = false;
    std::deque<Waiting*> kept, dropped;
    for (Waiting* each : waiting_)
      (each->given_up != nullptr && *each->given_up ? dropped : kept).push_back(each);
    waiting_ = std::move(kept);
    for (Waiting* each : dropped) each->handle.resume();
  }));
}

bool Pool::Claim::await_ready() {
  return pool_.lease_to(waiting_) || pool_.ended_ || pool_.pooler_ == Pooler::gives_them_away ||
         pool_.waiting_.size() >= pool_.options_.waiting_max;
}

void Pool::Claim::await_suspend(std::coroutine_handle<> waiting) {
  waiting_.handle = waiting;
  pool_.waiting_.push_back(&waiting_);
  pool_.want_exclusive();
}

/// In order, but that streams wait while they have all that they may.
void Pool::serve_waiting() {
  for (auto each = waiting_.begin(); each != waiting_.end();) {
    Waiting* next = *each;
    if (!lease_to(*next)) {
      if (!next->stream || streams_may_have_more()) return;  // none is free
      ++each;
      continue;
    }
    waiting_.erase(each);
    next->handle.resume();  // which may change all of this
    each = waiting_.begin();
  }
}

}  // namespace backends::postgres
