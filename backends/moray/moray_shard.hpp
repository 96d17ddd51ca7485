#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/unordered/unordered_flat_map.hpp>

#include "backends/dns/addresses.hpp"
#include "backends/moray/pool.hpp"
#include "backends/shard.hpp"

namespace backends::moray {

using dns::AddressSource;
using dns::fixed_addresses;

struct MorayShardOptions {
  PoolOptions pool;
  std::size_t in_flight_max = 10'000;  ///< sent and waiting
  std::size_t waiting_max = 1'000;     ///< requests that wait for a connection
};

/// A shard behind moray servers, as one worker holds it: requests that wait for a connection of
/// the pool, and tickets. Requests wait while a connection is being made (or, for streams, while
/// all are busy), and fail at once while none has a chance.
class MorayShard final : public Shard, private PoolHost {
 public:
  MorayShard(boost::asio::io_context& loop, std::shared_ptr<AddressSource> source,
             MorayShardOptions options);

  Submitted submit(const Request& request, ReplySink& sink) override;
  bool cancel(Ticket ticket) override;
  void pause(Ticket ticket) override;
  void resume(Ticket ticket) override;
  /// Requests that wait are still served; then the connections close.
  void retire() override;
  [[nodiscard]] bool idle() const override;
  [[nodiscard]] bool healthy() const override;
  [[nodiscard]] ShardStatus status() const override;

 private:
  struct Waiting {
    std::uint64_t ticket;
    std::string payload;
    Request request;  // its pieces are replaced by `payload`
    ReplySink* sink;
  };

  void connections_changed() override;
  void connection_idle(Connection& connection) override;
  void connection_gone(const Connection& connection) override;

  Connection* connection_for(const Request& request);
  Submitted wait(const Request& request, ReplySink& sink);
  void serve_waiting();
  void fail_hopeless();
  void retire_pool_when_done();
  Connection* connection_of(Ticket ticket);

  MorayShardOptions options_;
  Pool pool_;
  std::deque<Waiting> waiting_;
  boost::unordered_flat_map<std::uint64_t, std::uint64_t> aliases_;  // waited, then sent
  std::uint64_t next_waiting_ = 0;
  bool retired_ = false;
};

}  // namespace backends::moray
