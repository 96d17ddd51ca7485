// Which connection a request goes over.
#include <algorithm>

#include "backends/moray/pool.hpp"

namespace backends::moray {

Connection* Pool::point(std::uint32_t affinity) {
  used_ = true;
  if (lanes_.empty()) return nullptr;
  if (load_.ordered_writes > 0)
    if (Connection* holder = lane_that_holds(affinity)) return holder;
  Lane& home = *lanes_[affinity % lanes_.size()];
  if (!home.connection && !home.failed) start(home);
  if (home.up()) {
    // On probation it gets one request at a time, from whose answer it may come back.
    const bool on_trial = home.on_probation && home.connection->in_flight() == 0;
    if (!home.doubted || on_trial) return home.connection.get();
    Connection* other = substitute(home, affinity);
    return other != nullptr ? other : home.connection.get();
  }
  if (!home.failed) return nullptr;  // soon
  if (Connection* other = substitute(home, affinity)) return other;
  for (const auto& lane : lanes_)
    if (!lane->connection && !lane->failed) start(*lane);
  return nullptr;
}

/// The lane that a live write of that vnode went over, where such are counted.
Connection* Pool::lane_that_holds(std::uint32_t affinity) const {
  for (const auto& lane : lanes_)
    if (lane->up() && lane->connection->has_live_write(affinity)) return lane->connection.get();
  return nullptr;
}

/// Another lane for a vnode whose own is doubted (then one to another address, not doubted) or
/// down (then any that is up, doubted ones last). Its writes are counted from now on, so that they
/// still hold their vnodes when these return. Such vnodes spread over all other lanes.
Connection* Pool::substitute(const Lane& home, std::uint32_t affinity) const {
  Connection* found = nullptr;
  const std::size_t first = affinity / lanes_.size();
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    const Lane& lane = *lanes_[(first + i) % lanes_.size()];
    if (!lane.up()) continue;
    if (home.up() && (lane.doubted || lane.connection->address() == home.connection->address()))
      continue;
    if (found == nullptr || !lane.doubted) found = lane.connection.get();
    if (!lane.doubted) break;
  }
  if (found != nullptr) found->order_writes();
  return found;
}

Connection* Pool::stream() {
  used_ = true;
  bool connecting = false;
  for (const auto& connection : streams_) {
    if (connection->state() == Connection::State::connecting) connecting = true;
    if (connection->state() == Connection::State::up && connection->in_flight() == 0 &&
        !avoided(connection->address()))
      return connection.get();
  }
  if (!connecting && !retired_ && !addresses_.empty() &&
      streams_.size() < options_.stream_connections_max)
    streams_.push_back(make(stream_address()));
  return nullptr;
}

/// The next in turn, but none of a server that makes no progress while another does.
const boost::asio::ip::tcp::endpoint& Pool::stream_address() {
  for (std::size_t i = 0; i + 1 < addresses_.size(); ++i) {
    const auto& address = addresses_[next_address_++ % addresses_.size()];
    if (!avoided(address)) return address;
  }
  return addresses_[next_address_++ % addresses_.size()];
}

bool Pool::hopeless() const {
  if (retired_ && up() == 0) return true;
  return addresses_known_ && std::all_of(lanes_.begin(), lanes_.end(), [](const auto& lane) {
           return lane->failed && !lane->up();
         });
}

bool Pool::stream_hopeless() const { return hopeless() || (stream_failed_ && streams_.empty()); }

}  // namespace backends::moray
