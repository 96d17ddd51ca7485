// PostgresShard's requests that wait: for a server that takes nothing, for a client that takes
// nothing, for a word that does not come.
#include <algorithm>
#include <utility>
#include <vector>

#include <boost/asio/post.hpp>

#include "backends/postgres/postgres_operation.hpp"

namespace backends::postgres {
namespace {

// A stream whose client takes nothing for so long gives its connection to those who wait for one.
constexpr std::chrono::milliseconds kPatience{2'000};
constexpr std::chrono::milliseconds kLooksAtPaused{500};

/// Over a pipelined connection, but for a bucket that keeps an order.
bool goes_by_point(Rpc rpc) {
  return rpc == Rpc::get_object || rpc == Rpc::put_object || rpc == Rpc::del_object;
}

bool reads_a_point(Rpc rpc) {
  return rpc == Rpc::get_object || rpc == Rpc::get_bucket || rpc == Rpc::list_buckets ||
         rpc == Rpc::ping;
}

}  // namespace

/// What libpq has taken can't be taken back: while its server takes nothing, or has enough to do,
/// requests wait here, where their clients may still leave, or give up.
bool PostgresShard::must_wait(const Operation& operation) const {
  if (!waits_for_database(operation.rpc)) return false;
  const Connection* connection = pool_->point(operation.work.affinity);
  if (connection == nullptr) return false;
  return connection->backlogged() || (goes_by_point(operation.rpc) && connection->full());
}

/// The connection of a vnode may be another one by now: an earlier request of it that waits comes
/// first all the same.
bool PostgresShard::has_line(const Operation& operation) const {
  return goes_by_point(operation.rpc) && lines_.contains(operation.work.affinity);
}

/// Those of one queue go over the same connection, as long as it is up and moves.
PostgresShard::Waiting& PostgresShard::queue_of(const Operation& operation) {
  const std::size_t connections = std::max<std::size_t>(1, pool_->options().point_connections);
  return queues_[{operation.work.affinity % connections, goes_by_point(operation.rpc)}];
}

void PostgresShard::stand_in_line(const std::shared_ptr<Operation>& operation) {
  Waiting& queue = queue_of(*operation);
  operation->place = queue.insert(queue.end(), operation);
  ++lines_[operation->work.affinity];
}

void PostgresShard::leave_line(Operation& operation) {
  queue_of(operation).erase(*operation.place);
  operation.place.reset();
  const auto line = lines_.find(operation.work.affinity);
  if (--line->second == 0) lines_.erase(line);
}

/// In order of arrival. O(queues) and those that begin.
void PostgresShard::begin_waiting() {
  const Lifetime::Watch watch = lifetime_.watch();
  for (auto& [key, queue] : queues_) {
    while (!queue.empty() && !must_wait(*queue.front())) {
      const auto operation = queue.front();
      leave_line(*operation);
      run(operation);  // by which others may be cancelled, or we end
      if (watch.over()) return;
    }
  }
}

/// They have no end of their own.
void PostgresShard::stop_listeners() {
  std::vector<std::shared_ptr<Operation>> listening;
  for (const auto& [number, operation] : operations_)
    if (operation->stop && operation->ended == Operation::End::none) listening.push_back(operation);
  for (const auto& operation : listening) operation->stop();
}

/// They wait for a word that does not come any more.
void PostgresShard::take_back_changes() {
  std::vector<std::shared_ptr<Operation>> waiting;
  for (const auto& [number, operation] : operations_)
    if (operation->steps && !operation->steps->decided()) waiting.push_back(operation);
  for (const auto& operation : waiting) operation->steps->decide(false);
}

void PostgresShard::proceed(Ticket ticket) {
  const auto found = operations_.find(ticket.number);
  if (found != operations_.end() && found->second->steps) found->second->steps->decide(true);
}

bool PostgresShard::cancel(Ticket ticket) {
  const auto found = operations_.find(ticket.number);
  if (found != operations_.end() && found->second->steps && !found->second->steps->decided()) {
    const auto operation = found->second;  // kept until it has rolled back
    operation->sink = nullptr;
    operation->steps->decide(false);
    return true;
  }
  if (found == operations_.end()) return false;
  if (found->second->place) {
    leave_line(*found->second);
    operations_.erase(found);
    return true;
  }
  if (found->second->work.claims) {
    const auto operation = found->second;
    operation->sink = nullptr;
    operation->given_up = true;
    operations_.erase(found);
    pool_->drop_given_up();
    return true;
  }
  if (reads_a_point(found->second->rpc)) {  // its answer is swallowed
    found->second->sink = nullptr;
    found->second->given_up = true;
    operations_.erase(found);
    return true;
  }
  if (found->second->rpc != Rpc::find_objects && found->second->rpc != Rpc::listen) return false;
  const auto operation = found->second;
  operation->sink = nullptr;
  operation->data.clear();
  if (operation->ended != Operation::End::none) {
    operations_.erase(found);
    return true;
  }
  // By way of the loop: the connection may be calling us. Until its end we keep it, unheard.
  operation->given_up = true;
  boost::asio::post(loop_, lifetime_.guard([operation] {
    if (operation->ended != Operation::End::none) return;
    if (operation->stop) return operation->stop();
    if (operation->streaming == nullptr) return;
    operation->work.pool.cancel_statement(operation->streaming->backend());
    operation->streaming->close("a find was given up");
  }));
  return true;
}

void PostgresShard::pause(Ticket ticket) {
  const auto found = operations_.find(ticket.number);
  if (found == operations_.end()) return;
  if (!found->second->paused) found->second->paused_since = std::chrono::steady_clock::now();
  found->second->paused = true;
  watch_paused();
}

void PostgresShard::watch_paused() {
  if (std::exchange(watching_paused_, true)) return;
  paused_timer_.expires_after(kLooksAtPaused);
  paused_timer_.async_wait(lifetime_.guard([this](const boost::system::error_code& error) {
    watching_paused_ = false;
    if (!error) end_paused();
  }));
}

/// As many as wait for their connections; those first that have been held up longest.
void PostgresShard::end_paused() {
  const auto long_ago = std::chrono::steady_clock::now() - kPatience;
  std::vector<std::shared_ptr<Operation>> slow;
  bool any = false;
  for (const auto& [number, operation] : operations_) {
    if (!operation->paused || operation->streaming == nullptr) continue;
    any = true;
    if (operation->paused_since <= long_ago) slow.push_back(operation);
  }
  if (any) watch_paused();
  std::sort(slow.begin(), slow.end(),
            [](const auto& a, const auto& b) { return a->paused_since < b->paused_since; });
  if (const std::size_t most = pool_->streams_waiting(); slow.size() > most) slow.resize(most);
  const Lifetime::Watch watch = lifetime_.watch();
  for (const auto& operation : slow) {
    if (operation->streaming == nullptr || operation->sink == nullptr) continue;
    pool_->cancel_statement(operation->streaming->backend());
    Connection* streaming = std::exchange(operation->streaming, nullptr);
    operation->data.clear();
    operation->paused = false;
    operation->failure = {FailureKind::overloaded,
                          "its client took nothing for two seconds, and others wait for the "
                          "connection that it came over"};
    operation->ended = Operation::End::failure;
    deliver(operation);
    if (watch.over()) return;
    streaming->close("its client took nothing");
    if (watch.over()) return;
  }
}

void PostgresShard::resume(Ticket ticket) {
  const auto found = operations_.find(ticket.number);
  if (found == operations_.end() || !found->second->paused) return;
  found->second->paused = false;
  boost::asio::post(loop_, lifetime_.guard([this, operation = found->second] {
    if (operation->paused) return;
    deliver(operation);
    if (operation->streaming != nullptr && !operation->paused) operation->streaming->resume();
  }));
}

}  // namespace backends::postgres
