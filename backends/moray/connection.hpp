#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "backends/moray/in_flight.hpp"
#include "backends/moray/output.hpp"
#include "backends/moray/progress.hpp"
#include "backends/shard.hpp"
#include "fast/decoder.hpp"

namespace backends::moray {

struct ConnectionOptions {
  fast::Version version = fast::Version::v1;
  std::size_t frame_bytes_max = 256u << 20;
  std::chrono::milliseconds connect_limit{3'000};
  ProgressOptions progress;
};

class Connection;

/// Told of a connection's life. Lives on the same worker.
class ConnectionHost {
 public:
  virtual void connected(Connection& connection) = 0;
  /// The connection is over (or was never made) and all its requests have been told. The host may
  /// not destroy it before this call returns.
  virtual void disconnected(Connection& connection, const std::string& reason) = 0;
  /// One more request is over: answered, or taken back.
  virtual void answered(Connection& connection) = 0;
  /// A request that had waited under this ticket is over.
  virtual void waited_request_over(std::uint64_t ticket) = 0;

 protected:
  ~ConnectionHost() = default;
};

/// One multiplexed Fast connection to a moray server, seen from the client. Lives on one worker.
///
/// Message ids are the connection's own. An id whose request was given up stays taken until its
/// late answer has been swallowed, so that no answer can reach the wrong request; one whose request
/// was taken back before it was written is free again.
class Connection final : public std::enable_shared_from_this<Connection> {
 public:
  enum class State : std::uint8_t { connecting, up, closed };

  Connection(boost::asio::io_context& loop, boost::asio::ip::tcp::endpoint address,
             std::uint64_t id, const ConnectionOptions& options, ConnectionHost& host, Load& load);

  void start();
  /// Writes the request at the end of this turn of the loop, or when the socket takes it. Only
  /// while up. `waited`: the ticket under which it had waited until now, if it had. The id it goes
  /// under.
  std::uint32_t send(const Request& request, ReplySink& sink, std::uint64_t waited = 0);
  /// The caller has lost interest. True: nothing of the request was written, and nothing will be;
  /// its sink is forgotten. False: its answer must still come.
  bool take_back(std::uint32_t message_id);
  /// Stops and resumes reading; what is read already may still be delivered after a pause.
  void pause();
  void resume();
  /// Ends it; outstanding requests are told `failure`, unless `silent`.
  void close(const std::string& reason, bool silent = false);
  /// The host is going away: it is told nothing any more.
  void forget_host() { host_ = nullptr; }

  /// Watches its progress; to be called every `ProgressOptions::look_every`.
  void look(std::chrono::steady_clock::time_point now);
  [[nodiscard]] const Progress& progress() const { return progress_; }
  /// Nobody waits for any of its answers, of which some are outstanding.
  [[nodiscard]] bool unheard() const {
    return in_flight_.size() > 0 && in_flight_.given_up() == in_flight_.size();
  }
  /// More is given up, and not answered, than may be.
  [[nodiscard]] bool given_up_too_much() const {
    return in_flight_.given_up() > options_.progress.given_up_max;
  }
  /// Of a request that `take_back` could not: where it is a read, its sink is forgotten.
  bool forget_read(std::uint32_t message_id) { return in_flight_.forget_read(message_id); }
  /// From now on, and until `stop_ordering`, writes hold their vnode to this connection.
  void order_writes() { in_flight_.order_writes(); }
  void stop_ordering() { in_flight_.stop_ordering(); }
  [[nodiscard]] bool has_live_write(std::uint32_t affinity) const {
    return in_flight_.has_live_write(affinity);
  }

  /// It was of use: it has answered, or stayed up for a second.
  [[nodiscard]] bool served() const;
  [[nodiscard]] bool has_answered() const { return answers_ > 0; }
  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] std::uint64_t id() const { return id_; }
  [[nodiscard]] std::size_t in_flight() const { return in_flight_.size(); }
  [[nodiscard]] const boost::asio::ip::tcp::endpoint& address() const { return address_; }
  /// When something was sent last, give or take the time between two of these calls.
  [[nodiscard]] std::chrono::steady_clock::time_point last_used(
      std::chrono::steady_clock::time_point now) {
    if (std::exchange(used_, false)) last_used_ = now;
    return last_used_;
  }

 private:
  void established();
  void wait_readable();
  void on_readable();
  void take_frames();
  bool take_frame(const fast::Frame& frame);
  void want_flush();
  void flush();
  void wait_writable();
  void forget(const InFlight::Entry& entry);
  void lose(FailureKind kind, const std::string& message, const std::string& info = "{}");

  boost::asio::io_context& loop_;
  boost::asio::ip::tcp::socket socket_;
  boost::asio::steady_timer connect_timer_;
  boost::asio::ip::tcp::endpoint address_;
  std::uint64_t id_;
  ConnectionOptions options_;
  ConnectionHost* host_;
  State state_ = State::connecting;
  fast::Decoder decoder_;
  Output output_;
  InFlight in_flight_;
  Progress progress_;
  std::uint64_t answers_ = 0;     // whole ones
  std::uint64_t bytes_read_ = 0;  // whatever they belong to
  bool flush_wanted_ = false;
  bool writing_ = false;
  bool reading_ = false;
  bool paused_ = false;
  bool taking_ = false;
  bool answer_unfinished_ = false;  // the last frame read was DATA: its END may be waiting
  bool bulk_ = false;  // the last read was large: the next is worth a buffer of its own
  std::chrono::steady_clock::time_point established_at_{};
  std::chrono::steady_clock::time_point last_used_;
  bool used_ = false;  // since last_used_ was set
};

}  // namespace backends::moray
