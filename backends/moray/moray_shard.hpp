#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "backends/back_off.hpp"
#include "backends/moray/addresses.hpp"
#include "backends/moray/connection.hpp"
#include "backends/shard.hpp"

namespace backends::moray {

struct MorayShardOptions {
  ConnectionOptions connection;
  std::size_t in_flight_max = 10'000;
  std::size_t stream_connections_max = 4;
  std::size_t waiting_max = 1'000;  ///< requests that wait for a connection to be made
  std::chrono::milliseconds idle_limit{60'000};
  std::chrono::milliseconds back_off_least{50};
  std::chrono::milliseconds back_off_most{10'000};
};

/// A shard behind moray servers, as one worker holds it.
///
/// Point requests share one connection, so that a vnode's requests keep their order; a stream has
/// one of its own. The first is made at first use, and made again with back-off when it is lost;
/// requests wait for a first connection, and fail at once while a lost one is not back.
class MorayShard final : public Shard, private ConnectionHost {
 public:
  MorayShard(boost::asio::io_context& loop, std::shared_ptr<AddressSource> source,
             MorayShardOptions options);
  ~MorayShard() override;

  Submitted submit(const Request& request, ReplySink& sink) override;
  bool cancel(Ticket ticket) override;
  void pause(Ticket ticket) override;
  void resume(Ticket ticket) override;
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
  struct Slot {
    std::shared_ptr<Connection> connection;
    bool stream = false;
    bool leaving = false;  // its address is gone: no new work
  };
  struct Place {
    Connection* connection = nullptr;
    std::uint32_t message_id = 0;
  };

  void connected(Connection& connection) override;
  void disconnected(Connection& connection, const std::string& reason) override;
  void answered(Connection& connection) override;

  void addresses_changed(const AddressSource::Addresses& addresses);
  Submitted submit_point(const Request& request, ReplySink& sink);
  Submitted submit_stream(const Request& request, ReplySink& sink);
  Submitted wait(const Request& request, ReplySink& sink);
  Submitted refuse(FailureKind kind, const char* message) const;
  Ticket send(Slot& slot, const Request& request, ReplySink& sink);
  void open(bool stream);
  void serve_waiting();
  void fail_waiting(bool stream);
  void schedule_reconnect();
  void housekeeping();
  Slot* point_slot();
  Slot* free_stream_slot();
  Slot* slot_of(const Connection& connection);
  Connection* connection_of(Ticket ticket);
  [[nodiscard]] std::size_t count(bool stream) const;

  boost::asio::io_context& loop_;
  std::shared_ptr<AddressSource> source_;
  MorayShardOptions options_;
  std::shared_ptr<void> watch_;
  AddressSource::Addresses addresses_;
  bool addresses_known_ = false;
  std::vector<Slot> slots_;
  std::deque<Waiting> waiting_;
  boost::unordered_flat_map<std::uint64_t, std::uint64_t> aliases_;  // waited, then sent
  boost::asio::steady_timer reconnect_timer_;
  boost::asio::steady_timer housekeeping_timer_;
  BackOff back_off_;
  std::mt19937_64 random_;
  std::uint64_t next_connection_ = 1;
  std::uint64_t next_waiting_ = 0;
  bool lost_ = false;  // the last attempt failed: nobody waits for the next
  bool used_ = false;
  bool retired_ = false;
  bool reconnect_scheduled_ = false;
  std::string last_problem_;
};

/// Addresses that never change.
std::shared_ptr<AddressSource> fixed_addresses(AddressSource::Addresses addresses);

}  // namespace backends::moray
