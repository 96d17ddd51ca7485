#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "backends/back_off.hpp"
#include "backends/dns/addresses.hpp"
#include "backends/moray/connection.hpp"
#include "backends/moray/load.hpp"

namespace backends::moray {

using dns::AddressSource;

struct PoolOptions {
  ConnectionOptions connection;
  std::size_t point_connections = 1;  ///< at least; one more for each further address
  std::size_t stream_connections_max = 4;
  std::chrono::milliseconds idle_limit{60'000};
  std::chrono::milliseconds back_off_least{50};
  std::chrono::milliseconds back_off_most{10'000};
};

/// Told when something may have changed for requests that wait. Lives on the same worker; called
/// from the loop only, never from inside a call of Pool's.
class PoolHost {
 public:
  virtual void connections_changed() = 0;
  /// A request of a connection is over, and it has nothing more in flight.
  virtual void connection_idle(Connection& connection) = 0;
  /// A request that had waited under this ticket is over. From inside calls, too.
  virtual void waited_request_over(std::uint64_t ticket) = 0;

 protected:
  ~PoolHost() = default;
};

/// One worker's connections to the servers of one shard. Lives on that worker.
///
/// Point requests go over *lanes*: a vnode's always over the same one while it is up, which keeps
/// their order. There are as many lanes as addresses (or as configured, if that is more), each
/// connected at first use and again whenever it is lost: at once where it had served, with back-off
/// where it had not. Streams get connections of their own, which close when idle. A connection
/// whose address has left takes no new work and closes with its last answer.
///
/// A lane that makes no progress (`Progress`) is *doubted*: while a lane to another address is up
/// and not doubted, that one gets its requests, and in the end it is closed, with back-off, to be
/// made again. Where there is no other, it keeps them: a slow server and a hung one look the same,
/// and TCP tells a dead one. Streams are as silent as their queries are slow, and are left alone.
///
/// A vnode's writes keep their order then, too. A write that was sent over one lane, and whose
/// client still waits, holds its vnode there: it may be done at any moment, and one sent after it
/// and answered before it must not be undone by it. A write that was given up no longer does: its
/// client has been told that the outcome is unknown, or is gone, and later ones need not wait for
/// what may never come. Reads hold nothing: their client sees what was there while it waited. The
/// same holds when vnodes return to their lane. In calm times nothing of this is counted.
class Pool final : private ConnectionHost {
 public:
  Pool(boost::asio::io_context& loop, std::shared_ptr<AddressSource> source, PoolOptions options,
       PoolHost& host);
  ~Pool();

  /// A connection that is up, or null; then one is being made where that has a chance. O(lanes).
  Connection* point(std::uint32_t affinity);
  /// A connection that is up and free, or null likewise.
  Connection* stream();

  /// Nobody should wait: no address, or every lane's last attempt failed.
  [[nodiscard]] bool hopeless() const;
  /// Waiting for a stream has no chance: hopeless, or the attempt to make one has just failed.
  [[nodiscard]] bool stream_hopeless() const;
  /// Not hopeless, and not every connection for point requests is doubted. O(lanes).
  [[nodiscard]] bool healthy() const;
  /// Grows whenever a request that waits may have another chance.
  [[nodiscard]] std::uint64_t changes() const { return changes_; }
  [[nodiscard]] const Load& load() const { return load_; }

  /// Ends a stream's connection, whose answer nobody wants any more.
  void abandon(Connection& connection);
  /// Stops making connections, and closes each at its last answer.
  void retire();

  [[nodiscard]] Connection* find(std::uint64_t id) const;
  [[nodiscard]] bool is_stream(const Connection& connection) const;
  [[nodiscard]] std::size_t count() const;  ///< all, in whatever state
  [[nodiscard]] std::size_t up() const;
  [[nodiscard]] const AddressSource::Addresses& addresses() const { return addresses_; }
  /// Of a doubted lane, or the last one's end; empty: none since.
  [[nodiscard]] std::string last_problem() const;

 private:
  using ConnectionPointer = std::shared_ptr<Connection>;
  struct Lane {
    Lane(boost::asio::io_context& loop, const PoolOptions& options)
        : retry(loop), back_off(options.back_off_least, options.back_off_most) {}
    [[nodiscard]] bool up() const {
      return connection != nullptr && connection->state() == Connection::State::up;
    }

    ConnectionPointer connection;  // connecting or up; null: not made
    bool failed = false;           // the last attempt did; the next is due by `retry`
    bool doubted = false;          // makes no progress, or is on probation
    bool on_probation = false;     // the one before made no progress, and this has not answered yet
    boost::asio::steady_timer retry;
    BackOff back_off;
  };

  void connected(Connection& connection) override;
  void disconnected(Connection& connection, const std::string& reason) override;
  void answered(Connection& connection) override;
  void waited_request_over(std::uint64_t ticket) override;

  void addresses_changed(const AddressSource::Addresses& addresses);
  const boost::asio::ip::tcp::endpoint& lane_address();
  ConnectionPointer make(const boost::asio::ip::tcp::endpoint& address);
  void start(Lane& lane);
  Connection* lane_that_holds(std::uint32_t affinity) const;
  Connection* substitute(const Lane& home, std::uint32_t affinity) const;
  void lane_lost(const std::shared_ptr<Lane>& lane, const Connection& connection);
  void retry_later(const std::shared_ptr<Lane>& lane);
  void leave(ConnectionPointer connection);
  void close_later(ConnectionPointer connection, const char* reason);
  void tell_host();
  const boost::asio::ip::tcp::endpoint& stream_address();

  void housekeeping();
  void look(std::chrono::steady_clock::time_point now);
  void doubt_lanes();
  void give_up_hopeless();
  void close_idle_streams(std::chrono::steady_clock::time_point now);
  [[nodiscard]] bool trusted_beside(const boost::asio::ip::tcp::endpoint& address) const;
  [[nodiscard]] bool avoided(const boost::asio::ip::tcp::endpoint& address) const;

  std::shared_ptr<Lane> lane_of(const Connection& connection);

  boost::asio::io_context& loop_;
  std::shared_ptr<AddressSource> source_;
  PoolOptions options_;
  PoolHost& host_;
  Load load_;                                 // of the connections below
  std::vector<std::shared_ptr<Lane>> lanes_;  // shared for timers to hold weakly
  std::vector<ConnectionPointer> streams_;
  std::vector<ConnectionPointer> leaving_;
  AddressSource::Addresses addresses_;
  bool addresses_known_ = false;
  bool used_ = false;
  bool retired_ = false;
  bool stream_failed_ = false;  // the last attempt at a stream's connection
  std::size_t next_address_;
  std::uint64_t next_connection_ = 1;
  std::uint64_t changes_ = 0;
  std::mt19937_64 random_;
  std::string last_problem_;
  boost::asio::steady_timer housekeeping_timer_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();  // posted calls hold it weakly
  std::shared_ptr<void> watch_;                             // last: its callback uses the rest
};

}  // namespace backends::moray
