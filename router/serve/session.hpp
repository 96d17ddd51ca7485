#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <boost/asio/ip/tcp.hpp>
#include <boost/unordered/unordered_flat_map.hpp>

#include "budget/budget.hpp"
#include "fast/decoder.hpp"
#include "router/serve/answer_window.hpp"
#include "router/serve/arriving_frames.hpp"
#include "router/serve/client_port.hpp"
#include "router/serve/deadline_wheel.hpp"
#include "router/serve/idle_readers.hpp"
#include "router/serve/session_life.hpp"

namespace router {

class Dispatcher;
class Session;

/// Bounds of one client's connection.
struct SessionLimits {
  std::size_t frame_bytes_max = 64u << 20;
  std::size_t in_flight_max = 1000;         ///< more: reading stops until one is answered
  std::size_t output_bytes_max = 1u << 20;  ///< more waiting: reading and streams pause
  /// A client that does not take what is due to it, or not send the rest of a frame that it has
  /// begun, is cut after so long. What counts is a rate: a byte now and then is nothing.
  std::chrono::milliseconds write_stall_max{60'000};
  std::chrono::milliseconds last_answers_max{1'000};  ///< after a protocol error

  bool operator==(const SessionLimits&) const = default;
};

/// What a session counts, for status pages.
struct SessionCounts {
  std::uint64_t started = 0;
  std::uint64_t completed = 0;
  std::uint64_t protocol_errors = 0;
};

/// The worker's side of a session. Lives on that worker.
class SessionHost {
 public:
  /// A buffer lent for one read; what is kept must be copied before the call returns.
  virtual std::span<char> read_buffer() = 0;
  /// Gives an empty string the memory of another; and takes it back when its bytes are out, so that
  /// idle clients hold none, and busy ones use what is still in the processor's cache.
  virtual void lend_buffer(std::string& empty) = 0;
  virtual void take_back_buffer(std::string& used) = 0;
  /// `flush` is called once at the end of this turn of the loop.
  virtual void wants_flush(std::shared_ptr<Session> session) = 0;
  virtual ArrivingFrames& arriving_frames() = 0;
  virtual IdleReaders& idle_readers() = 0;
  /// So many requests of one client may be under way at once, as busy as the worker is.
  [[nodiscard]] virtual std::size_t requests_at_once() const = 0;
  /// What sessions draw on.
  virtual budget::Account& memory() = 0;
  virtual void protocol_error(const Session& session, std::string_view reason) = 0;
  /// The connection has failed with requests under way, or answers that wait. `at`: in what call;
  /// `problem`: its errno, or 0 where none is known.
  virtual void client_lost(const Session& session, std::string_view at, int problem) = 0;
  /// The connection is closed and will not be heard of again.
  virtual void closed(Session& session) = 0;

 protected:
  ~SessionHost() = default;
};

/// One client's connection, from accept to close. Lives on one worker, all of its life.
class Session final : public ClientPort,
                      public ArrivingFrames::Holder,
                      public IdleReaders::Member,
                      public DeadlineWheel::Entry,
                      public std::enable_shared_from_this<Session> {
 public:
  using Socket = boost::asio::ip::tcp::socket;

  Session(Socket socket, std::uint64_t id, SessionHost& host, Dispatcher& dispatcher,
          DeadlineWheel& wheel, const SessionLimits& limits);
  ~Session();

  void start();
  /// Writes what waits; called by the host once a turn.
  void flush();
  /// No further request is read; closes when those in flight are answered.
  void drain();
  /// Closes at once; requests in flight are abandoned.
  void close();

  std::string& output() override {
    if (output_.empty()) host_.lend_buffer(output_);
    return output_;
  }
  void output_grew() override;
  [[nodiscard]] bool stream_waits() const override;
  void answer_written(std::size_t bytes) override { window_.answered(bytes); }
  [[nodiscard]] bool answer_fits(std::size_t bytes) const override;
  void stream_paused() override { for_room_.streams = true; }
  void started(std::uint32_t message_id, Exchange& exchange) override;
  void finished(std::uint32_t message_id) override;
  void held_changed(std::ptrdiff_t by, std::ptrdiff_t cost) override {
    held_ += static_cast<std::size_t>(by);
    cost_ -= static_cast<std::size_t>(cost);
  }
  void on_deadline() override;
  void frame_granted() override { wait_readable(); }
  void frame_stalled() override;
  void look_for_end() override;
  [[nodiscard]] bool frame_is_read() const override { return may_read(); }
  [[nodiscard]] bool input_waits() const override;
  [[nodiscard]] bool frame_may_be_whole() override;

  [[nodiscard]] std::uint64_t id() const { return id_; }
  [[nodiscard]] const std::string& peer() const { return peer_; }
  [[nodiscard]] std::size_t in_flight() const { return in_flight_.size(); }
  /// Bytes of answers that the client has not taken yet.
  [[nodiscard]] std::size_t output_waits() const { return output_.size() - written_; }
  [[nodiscard]] const SessionCounts& counts() const { return counts_; }
  [[nodiscard]] std::chrono::system_clock::time_point accepted_at() const { return accepted_at_; }
  [[nodiscard]] bool draining() const { return life_.draining(); }

 private:
  void wait_readable();
  void acknowledge();
  void on_readable();
  void take_frames();
  void take_frame(const fast::Frame& frame);
  void take_failure(const fast::DecodeFailure& failure);
  void take_end_of_stream();
  void limit_waits();
  void stop_after_error(std::string_view reason);
  void wait_writable();
  void output_drained();
  void resume_streams();
  /// Nothing more will come from the client, or be taken: what has no end of its own ends.
  void abandon_endless();
  /// The connection has failed: see SessionHost::client_lost.
  void lost(std::string_view at, int problem);
  void rest();
  /// What the deadline in the wheel is of. Each of them ends the connection.
  enum class Awaited : std::uint8_t {
    nothing,
    last_answers,
    client_takes_output,
    rest_of_frame,
  };
  void await(Awaited awaited, std::chrono::milliseconds for_at_most);
  void await_nothing();
  void discard_input();
  void reserve_frame(std::size_t received);
  void await_rest_of_frame();
  void look_at_output();
  void look_at_output_again();
  void charge_output();
  [[nodiscard]] bool may_read() const;
  [[nodiscard]] bool may_start() const;
  /// So much output waits that no further request is read.
  [[nodiscard]] bool output_full() const;
  [[nodiscard]] std::size_t room(std::size_t most) const;

  Socket socket_;
  std::uint64_t id_;
  SessionHost& host_;
  Dispatcher& dispatcher_;
  DeadlineWheel& wheel_;
  SessionLimits limits_;
  fast::Decoder decoder_;
  std::string output_;
  std::size_t written_ = 0;  // of output_
  budget::Charge output_charge_;
  boost::unordered_flat_map<std::uint32_t, Exchange*> in_flight_;
  std::size_t held_ = 0;  // of those, how many wait at the gate
  std::size_t cost_ = 0;  // of the others, by the budget
  AnswerWindow window_;
  std::string peer_;
  std::chrono::system_clock::time_point accepted_at_;
  SessionCounts counts_;
  SessionLife life_;
  struct Outstanding {  // the loop will call us
    bool readable = false, writable = false, flush = false;
  } outstanding_;
  struct ForRoom {         // what goes on when output is written or a request is answered
    bool frames = false;   // frames that were read may wait for may_start
    bool streams = false;  // some of in_flight_ are paused
  } for_room_;
  Awaited awaited_ = Awaited::nothing;
  bool taking_ = false;         // take_frames is under way, and is not begun again
  bool frame_awaited_ = false;  // the rest of the frame that has begun has its deadline
  bool runs_ahead_ = false;     // streams do, since the client takes nothing now
  std::size_t taken_ = 0;       // by the client, since stalled_since_
  DeadlineWheel::Clock::time_point stalled_since_{}, due_{};  // of awaited_
};

}  // namespace router
