#include "backends/moray/pool.hpp"

#include <algorithm>

#include <boost/asio/post.hpp>

namespace backends::moray {
namespace {

constexpr std::size_t kLanesMost = 8;

template <typename Pointers>
auto find_in(Pointers& pointers, const Connection& connection) {
  return std::find_if(pointers.begin(), pointers.end(),
                      [&](const auto& candidate) { return candidate.get() == &connection; });
}

}  // namespace

Pool::Pool(boost::asio::io_context& loop, std::shared_ptr<AddressSource> source,
           PoolOptions options, PoolHost& host)
    : loop_(loop), source_(std::move(source)), options_(options), host_(host),
      random_(std::random_device{}()), housekeeping_timer_(loop) {
  next_address_ = random_();  // workers begin at different ones
  watch_ = source_->watch(loop_, [this](const auto& addresses) { addresses_changed(addresses); });
  housekeeping();
}

Pool::~Pool() {
  watch_.reset();
  const auto end = [](const ConnectionPointer& connection) {
    if (connection == nullptr) return;
    connection->forget_host();
    connection->close("shard closed", true);
  };
  for (const auto& lane : lanes_) end(lane->connection);
  for (const auto& connection : streams_) end(connection);
  for (const auto& connection : leaving_) end(connection);
}

void Pool::addresses_changed(const AddressSource::Addresses& addresses) {
  ++changes_;
  addresses_known_ = true;
  addresses_ = addresses;
  if (addresses_.empty()) last_problem_ = "no address is known";
  const auto gone = [&](const ConnectionPointer& connection) {
    return connection != nullptr && std::find(addresses_.begin(), addresses_.end(),
                                              connection->address()) == addresses_.end();
  };
  for (const auto& lane : lanes_)
    if (gone(lane->connection)) {
      leave(std::exchange(lane->connection, nullptr));
      lane->doubted = lane->on_probation = false;  // its next one is to another address
    }
  for (auto stream = streams_.begin(); stream != streams_.end();) {
    if (!gone(*stream)) {
      ++stream;
      continue;
    }
    ConnectionPointer connection = *stream;
    stream = streams_.erase(stream);
    leave(std::move(connection));
  }

  const std::size_t wanted = addresses_.empty() ? 0
                                                : std::max(options_.point_connections,
                                                           std::min(addresses_.size(), kLanesMost));
  while (lanes_.size() > wanted) {
    if (lanes_.back()->connection) leave(std::move(lanes_.back()->connection));
    lanes_.pop_back();
  }
  while (lanes_.size() < wanted) lanes_.push_back(std::make_shared<Lane>(loop_, options_));
  for (const auto& lane : lanes_) {
    lane->failed = false;  // new addresses, new luck
    lane->retry.cancel();
    if (used_ && !lane->connection) start(*lane);
  }
  stream_failed_ = false;
  tell_host();
}

/// The address that the fewest lanes have; among equals the next in turn, so that each new address
/// gets a lane, and one that failed is not tried for ever where others are free.
const boost::asio::ip::tcp::endpoint& Pool::lane_address() {
  const auto used = [this](const boost::asio::ip::tcp::endpoint& address) {
    return std::count_if(lanes_.begin(), lanes_.end(), [&](const auto& lane) {
      return lane->connection && lane->connection->address() == address;
    });
  };
  const std::size_t first = next_address_++;
  std::size_t best = first % addresses_.size();
  for (std::size_t i = 1; i < addresses_.size(); ++i) {
    const std::size_t candidate = (first + i) % addresses_.size();
    if (used(addresses_[candidate]) < used(addresses_[best])) best = candidate;
  }
  return addresses_[best];
}

Pool::ConnectionPointer Pool::make(const boost::asio::ip::tcp::endpoint& address) {
  auto connection =
      std::make_shared<Connection>(loop_, address, next_connection_++, options_.connection,
                                   static_cast<ConnectionHost&>(*this), load_);
  connection->start();
  return connection;
}

void Pool::start(Lane& lane) {
  if (retired_ || addresses_.empty()) return;
  lane.connection = make(lane_address());
  lane.doubted = lane.on_probation;
}

void Pool::connected(Connection& connection) {
  ++changes_;
  const auto lane = lane_of(connection);
  if (lane == nullptr || !lane->on_probation) last_problem_.clear();
  if (lane != nullptr) {
    lane->failed = false;
    if (lane->on_probation) connection.order_writes();
  } else {
    stream_failed_ = false;
  }
  tell_host();
}

/// Told of a connection's end, expected or not.
void Pool::disconnected(Connection& connection, const std::string& reason) {
  ++changes_;
  if (const auto left = find_in(leaving_, connection); left != leaving_.end()) {
    close_later(std::move(*left), "");  // destroyed after this call
    leaving_.erase(left);
    tell_host();
    return;
  }
  last_problem_ = reason;
  if (const auto stream = find_in(streams_, connection); stream != streams_.end()) {
    stream_failed_ = !connection.served();
    close_later(std::move(*stream), "");
    streams_.erase(stream);
    // Its lanes tell a sick shard from an unlucky stream, and try again in time.
    if (stream_failed_ && !lanes_.empty() && !lanes_[0]->connection && !lanes_[0]->failed)
      start(*lanes_[0]);
  } else if (const auto lane = lane_of(connection)) {
    lane_lost(lane, connection);
  }
  tell_host();
}

/// One that made no progress is made again with back-off, and is on probation: its server's machine
/// may take connections for ever, and its process answer none.
void Pool::lane_lost(const std::shared_ptr<Lane>& lane, const Connection& connection) {
  lane->on_probation =
      connection.progress().suspect() || (lane->on_probation && !connection.has_answered());
  const bool had_served = connection.served() && !lane->on_probation;
  close_later(std::exchange(lane->connection, nullptr), "");
  if (retired_) return;
  if (had_served) {
    lane->back_off.succeeded();
    start(*lane);  // whoever comes meanwhile waits for it
    return;
  }
  lane->failed = true;
  retry_later(lane);
}

void Pool::retry_later(const std::shared_ptr<Lane>& lane) {
  lane->retry.expires_after(lane->back_off.next(random_()));
  lane->retry.async_wait(
      [this, weak = std::weak_ptr<Lane>(lane)](const boost::system::error_code& error) {
        const auto waited = weak.lock();  // gone with the pool, or with its address
        if (!error && waited && !waited->connection) start(*waited);
      });
}

void Pool::answered(Connection& connection) {
  if (connection.in_flight() > 0) return;
  if (const auto left = find_in(leaving_, connection); left != leaving_.end())
    close_later(*left, "no longer needed");
  host_.connection_idle(connection);
}

void Pool::waited_request_over(std::uint64_t ticket) { host_.waited_request_over(ticket); }

void Pool::leave(ConnectionPointer connection) {
  if (connection->in_flight() == 0) close_later(connection, "no longer needed");
  leaving_.push_back(std::move(connection));
}

/// Not at once: the connection may be in the middle of a call. With no reason it is only kept
/// alive until then.
void Pool::close_later(ConnectionPointer connection, const char* reason) {
  boost::asio::post(loop_, [connection = std::move(connection), reason] {
    if (*reason != '\0') connection->close(reason, false);
  });
}

void Pool::tell_host() {
  boost::asio::post(loop_, [this, alive = std::weak_ptr<char>(alive_)] {
    if (!alive.expired()) host_.connections_changed();
  });
}

void Pool::retire() {
  retired_ = true;
  for (const auto& lane : lanes_) {
    lane->retry.cancel();
    if (lane->connection) leave(std::exchange(lane->connection, nullptr));
  }
  for (ConnectionPointer& connection : streams_) leave(std::move(connection));
  streams_.clear();
}

void Pool::abandon(Connection& connection) {
  const auto stream = find_in(streams_, connection);
  if (stream == streams_.end()) return;
  const ConnectionPointer kept = *stream;
  streams_.erase(stream);
  leaving_.push_back(kept);  // its end is no sign of a sick shard
  kept->close("request given up", true);
}

std::shared_ptr<Pool::Lane> Pool::lane_of(const Connection& connection) {
  for (const auto& lane : lanes_)
    if (lane->connection.get() == &connection) return lane;
  return nullptr;
}

Connection* Pool::find(std::uint64_t id) const {
  for (const auto& lane : lanes_)
    if (lane->connection && lane->connection->id() == id) return lane->connection.get();
  for (const auto* list : {&streams_, &leaving_})
    for (const auto& connection : *list)
      if (connection->id() == id) return connection.get();
  return nullptr;
}

bool Pool::is_stream(const Connection& connection) const {
  return find_in(streams_, connection) != streams_.end();
}

std::size_t Pool::count() const {
  std::size_t count = streams_.size() + leaving_.size();
  for (const auto& lane : lanes_) count += lane->connection ? 1u : 0u;
  return count;
}

std::size_t Pool::up() const {
  const auto is_up = [](const ConnectionPointer& connection) {
    return connection && connection->state() == Connection::State::up;
  };
  std::size_t count =
      static_cast<std::size_t>(std::count_if(streams_.begin(), streams_.end(), is_up) +
                               std::count_if(leaving_.begin(), leaving_.end(), is_up));
  for (const auto& lane : lanes_) count += lane->up() ? 1u : 0u;
  return count;
}

}  // namespace backends::moray
