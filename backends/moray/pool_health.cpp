// What a pool does every second: it looks whether its connections make progress, and acts on it.
#include <algorithm>

#include "backends/moray/pool.hpp"

namespace backends::moray {

void Pool::housekeeping() {
  housekeeping_timer_.expires_after(options_.connection.progress.look_every);
  housekeeping_timer_.async_wait(
      [this, alive = std::weak_ptr<char>(alive_)](const boost::system::error_code& error) {
        if (error || alive.expired())
          return;  // one that has run out is not taken back by its timer's end
        const auto now = std::chrono::steady_clock::now();
        look(now);
        close_idle_streams(now);
        housekeeping();
      });
}

/// O(connections), whatever is in flight, but for a lane that has just come to be doubted.
void Pool::look(std::chrono::steady_clock::time_point now) {
  for (const auto& lane : lanes_)
    if (lane->connection) lane->connection->look(now);
  for (const auto* list : {&streams_, &leaving_})
    for (const auto& connection : *list) connection->look(now);
  doubt_lanes();
  give_up_hopeless();
}

void Pool::doubt_lanes() {
  bool calm = true;
  for (const auto& lane : lanes_) {
    if (lane->on_probation && lane->up() && lane->connection->has_answered()) {
      lane->on_probation = false;
      last_problem_.clear();
    }
    const bool suspect = lane->up() && lane->connection->progress().suspect();
    lane->doubted = suspect || lane->on_probation;
    if (suspect) lane->connection->order_writes();
    calm = calm && !lane->doubted && !lane->failed;
  }
  if (!calm) return;
  for (const auto& lane : lanes_)
    if (lane->connection) lane->connection->stop_ordering();
}

/// A connection that makes no progress for long is closed where its requests have somewhere else to
/// go: they hear that it was lost. A shard that has left the ring waits for it no longer, either,
/// and nobody does where all is given up, or too much: it is closed also where it is the only one,
/// since what a hung server never answers would count for ever.
void Pool::give_up_hopeless() {
  std::vector<ConnectionPointer> hopeless;
  const auto add = [&](const ConnectionPointer& connection) {
    if (connection != nullptr && connection->state() == Connection::State::up &&
        connection->progress().hopeless() &&
        (retired_ || connection->unheard() || connection->given_up_too_much() ||
         trusted_beside(connection->address())))
      hopeless.push_back(connection);
  };
  for (const auto& lane : lanes_) add(lane->connection);
  for (const auto& connection : leaving_) add(connection);
  // Only now: an end changes the lists.
  for (const auto& connection : hopeless) connection->close(connection->progress().problem());
}

bool Pool::trusted_beside(const boost::asio::ip::tcp::endpoint& address) const {
  return std::any_of(lanes_.begin(), lanes_.end(), [&](const auto& lane) {
    return lane->up() && !lane->doubted && lane->connection->address() != address;
  });
}

bool Pool::avoided(const boost::asio::ip::tcp::endpoint& address) const {
  return trusted_beside(address) &&
         std::any_of(lanes_.begin(), lanes_.end(), [&](const auto& lane) {
           return lane->doubted && lane->connection && lane->connection->address() == address;
         });
}

/// Streams' connections that nobody used for a while are closed, and free ones to a server that
/// makes no progress, so that others can be made.
void Pool::close_idle_streams(std::chrono::steady_clock::time_point now) {
  const auto long_ago = now - options_.idle_limit;
  for (auto stream = streams_.begin(); stream != streams_.end();) {
    const ConnectionPointer connection = *stream;
    const bool used = connection->last_used(now) >= long_ago && !avoided(connection->address());
    if (used || connection->state() != Connection::State::up || connection->in_flight() > 0) {
      ++stream;
      continue;
    }
    stream = streams_.erase(stream);
    leave(connection);
  }
}

bool Pool::healthy() const {
  bool doubted = false;
  for (const auto& lane : lanes_) {
    if (lane->up() && !lane->doubted) return true;
    doubted = doubted || lane->doubted;
  }
  return !doubted && !hopeless();
}

std::string Pool::last_problem() const {
  for (const auto& lane : lanes_)
    if (lane->up() && lane->doubted)
      if (std::string problem = lane->connection->progress().problem(); !problem.empty())
        return problem;
  return last_problem_;
}

}  // namespace backends::moray
