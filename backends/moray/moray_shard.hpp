#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include <boost/asio/io_context.hpp>
#include <boost/unordered/unordered_flat_map.hpp>

#include "backends/dns/addresses.hpp"
#include "backends/moray/pool.hpp"
#include "backends/moray/waiting_requests.hpp"
#include "backends/shard.hpp"

namespace backends::moray {

using dns::AddressSource;
using dns::fixed_addresses;

struct MorayShardOptions {
  PoolOptions pool;
  std::size_t in_flight_max = 10'000;  ///< sent and waiting
  std::size_t waiting_max = 1'000;     ///< requests that wait for a connection
  /// Bytes of requests that wait for a connection, or that no socket has taken yet. A single larger
  /// request is taken where nothing else is unsent.
  std::size_t unsent_bytes_max = 64u << 20;
};

/// A shard that moray servers serve, as one worker holds it: requests that wait for a connection of
/// the pool, and tickets. Requests wait while a connection is being made (or, for streams, while
/// all are busy), and fail at once while none has a chance. Beyond its bounds a request fails at
/// once as overloaded. One that is cancelled before its first byte is written is never sent.
///
/// Calls are O(1) in requests, beside the bytes that are copied, and O(connections), of which there
/// are few; `serve_waiting` walks those that wait only when connections have changed.
class MorayShard final : public Shard, private PoolHost {
 public:
  MorayShard(boost::asio::io_context& loop, std::shared_ptr<AddressSource> source,
             MorayShardOptions options);

  Submitted submit(const Request& request, ReplySink& sink) override;
  bool cancel(Ticket ticket) override;
  void pause(Ticket ticket) override;
  void resume(Ticket ticket) override;
  /// A stream has a connection, also while it is paused. A moray has 16 connections to its database
  /// by default, and does a change beside others that wait for a lock.
  [[nodiscard]] Places places() const override {
    return {.streams = options_.pool.stream_connections_max,
            .changes = 8,
            .paused_leave = false,
            .changes_leave = std::chrono::seconds(1)};
  }
  /// Requests that wait are still served; then the connections close.
  void retire() override;
  [[nodiscard]] bool idle() const override;
  [[nodiscard]] bool healthy() const override;
  [[nodiscard]] ShardStatus status() const override;

 private:
  void connections_changed() override;
  void connection_idle(Connection& connection) override;
  void waited_request_over(std::uint64_t ticket) override;

  std::optional<Failure> over_bounds(const Request& request) const;
  Connection* connection_for(const Request& request);
  Submitted wait(const Request& request, ReplySink& sink);
  void serve_waiting();
  void serve_waiting_streams();
  WaitingRequests::List::iterator send(WaitingRequests::List::iterator entry,
                                       Connection& connection);
  void fail_waiting(bool streams);
  void retire_pool_when_done();
  std::uint64_t sent_as(Ticket ticket) const;
  Connection* connection_of(Ticket ticket) const;

  MorayShardOptions options_;
  Pool pool_;
  WaitingRequests waiting_;
  boost::unordered_flat_map<std::uint64_t, std::uint64_t> aliases_;  // waited, then sent
  std::uint64_t next_waiting_ = 0;
  std::uint64_t changes_served_ = 0;  // the pool's, when those that wait were last looked at
  bool retired_ = false;
};

}  // namespace backends::moray
