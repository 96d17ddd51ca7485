#include "backends/moray/connection.hpp"

#include <cerrno>
#include <vector>

#include <sys/socket.h>

#include <boost/asio/post.hpp>

#include "backends/moray/socket_options.hpp"
#include "fast/encoder.hpp"

namespace backends::moray {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t kReadBytes = 256 << 10;
/// A socket is written to for so long, and then others have their turn.
constexpr std::size_t kWriteBytesMax = 1 << 20;
/// From this size on a read is followed by one into the decoder's own buffer. That buffer is made
/// ready for a megabyte each time, which a byte at a time is not worth.
constexpr ssize_t kBulkBytes = 16 << 10;
constexpr std::chrono::seconds kServedAfter{1};

/// Lent for one read; a worker is one thread.
std::vector<char>& read_buffer() {
  thread_local std::vector<char> buffer(kReadBytes);
  return buffer;
}

std::string describe(const fast::DecodeFailure& failure) {
  if (failure.error != fast::DecodeError::bad_checksum)
    return "fast protocol: " + std::string(fast::to_string(failure.error));
  return "fast protocol: expected CRC " + std::to_string(failure.checksum_expected) + ", found " +
         std::to_string(failure.checksum_calculated);
}

std::string info_of(const fast::DecodeFailure& failure) {
  if (failure.error != fast::DecodeError::bad_checksum)
    return "{\"fastReason\":\"" + std::string(fast::to_string(failure.error)) + "\"}";
  return "{\"fastReason\":\"bad_crc\",\"crcExpected\":" +
         std::to_string(failure.checksum_expected) +
         ",\"crcCalculated\":" + std::to_string(failure.checksum_calculated) + "}";
}

}  // namespace

Connection::Connection(boost::asio::io_context& loop, tcp::endpoint address, std::uint64_t id,
                       const ConnectionOptions& options, ConnectionHost& host, Load& load)
    : loop_(loop), socket_(loop), connect_timer_(loop), address_(std::move(address)), id_(id),
      options_(options), host_(&host), decoder_(options.frame_bytes_max), output_(load),
      in_flight_(load), progress_(options.progress), last_used_(std::chrono::steady_clock::now()) {}

void Connection::start() {
  connect_timer_.expires_after(options_.connect_limit);
  connect_timer_.async_wait([self = shared_from_this()](const error_code& error) {
    if (!error && self->state_ == State::connecting)
      self->lose(FailureKind::no_connections, "connect timed out");
  });
  socket_.async_connect(address_, [self = shared_from_this()](const error_code& error) {
    if (self->state_ != State::connecting) return;
    if (error)
      self->lose(FailureKind::no_connections, "connect failed: " + error.message());
    else
      self->established();
  });
}

void Connection::established() {
  connect_timer_.cancel();
  state_ = State::up;
  established_at_ = std::chrono::steady_clock::now();
  error_code ignored;  // a connection that is gone already shows when we read
  socket_.non_blocking(true, ignored);
  socket_.set_option(tcp::no_delay(true), ignored);
  socket_.set_option(boost::asio::socket_base::keep_alive(true), ignored);
  watch_peer(socket_.native_handle());
  wait_readable();
  if (host_ != nullptr) host_->connected(*this);
}

std::uint32_t Connection::send(const Request& request, ReplySink& sink, std::uint64_t waited) {
  const std::uint32_t message_id = in_flight_.add(request, sink, waited);
  used_ = true;
  std::size_t bytes = fast::kHeaderBytes;
  for (const std::string_view piece : request.pieces) bytes += piece.size();
  std::string& out = output_.next(message_id, bytes, in_flight_.find(message_id)->prompt, writing_);
  if (request.checksum && request.checksum_version == options_.version)
    fast::append_frame_with_checksum(out, options_.version, fast::Status::data, message_id,
                                     *request.checksum, request.pieces);
  else
    fast::append_frame(out, options_.version, fast::Status::data, message_id, request.pieces);
  want_flush();
  return message_id;
}

bool Connection::take_back(std::uint32_t message_id) {
  if (!output_.take_back(message_id)) {
    in_flight_.give_up(message_id);
    return false;
  }
  if (const auto entry = in_flight_.remove(message_id)) forget(*entry);
  if (host_ != nullptr) host_->answered(*this);
  return true;
}

void Connection::forget(const InFlight::Entry& entry) {
  if (entry.waited != 0 && host_ != nullptr) host_->waited_request_over(entry.waited);
}

void Connection::look(std::chrono::steady_clock::time_point now) {
  Sight sight;
  sight.answers_due =
      state_ == State::up && !paused_ && in_flight_.prompt() > output_.prompt_unsent();
  sight.answers = answers_;
  sight.bytes_read = bytes_read_;
  sight.output_due = writing_ && output_.bytes() > 0;
  sight.bytes_written = output_.bytes_written();
  sight.given_up = in_flight_.given_up();
  progress_.look(sight, now);
}

bool Connection::served() const {
  const bool was_up = established_at_ != std::chrono::steady_clock::time_point{};
  return has_answered() ||
         (was_up && std::chrono::steady_clock::now() - established_at_ >= kServedAfter);
}

void Connection::pause() { paused_ = true; }

void Connection::resume() {
  if (!paused_) return;
  paused_ = false;
  // Not from here: the caller may be inside a delivery of ours.
  boost::asio::post(loop_, [self = shared_from_this()] {
    if (self->state_ != State::up || self->paused_) return;
    self->take_frames();
    if (self->state_ != State::up) return;
    self->decoder_.settle();
    self->wait_readable();
  });
}

void Connection::wait_readable() {
  if (reading_ || paused_ || state_ != State::up) return;
  reading_ = true;
  socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](const error_code& error) {
    self->reading_ = false;
    if (self->state_ != State::up) return;
    if (error)
      self->lose(FailureKind::connection_lost, "unexpected end of transport stream");
    else
      self->on_readable();
  });
}

void Connection::on_readable() {
  const std::span<char> direct = bulk_ ? decoder_.direct_tail() : std::span<char>();
  const std::span<char> buffer = direct.empty() ? std::span<char>(read_buffer()) : direct;
  const ssize_t received = ::recv(socket_.native_handle(), buffer.data(), buffer.size(), 0);
  const int problem = errno;
  if (!direct.empty()) decoder_.wrote(received > 0 ? static_cast<std::size_t>(received) : 0);
  bulk_ = received >= kBulkBytes;
  if (received == 0 || (received < 0 && problem != EAGAIN && problem != EINTR)) {
    lose(FailureKind::connection_lost, "unexpected end of transport stream");
    return;
  }
  if (received > 0) {
    bytes_read_ += static_cast<std::size_t>(received);
    if (direct.empty()) decoder_.feed({buffer.data(), static_cast<std::size_t>(received)});
    take_frames();
    if (state_ != State::up) return;
    decoder_.settle();
    if (answer_unfinished_) acknowledge_now(socket_.native_handle());
  }
  wait_readable();
}

void Connection::take_frames() {
  if (taking_) return;
  taking_ = true;
  while (state_ == State::up && !paused_) {
    const fast::Decoded decoded = decoder_.next();
    if (const auto* frame = std::get_if<fast::Frame>(&decoded)) {
      if (take_frame(*frame)) continue;
      lose(FailureKind::bad_reply, "fast protocol: answer to an unknown message id",
           R"({"fastReason":"bad_msgid"})");
    } else if (const auto* failure = std::get_if<fast::DecodeFailure>(&decoded)) {
      lose(FailureKind::bad_reply, describe(*failure), info_of(*failure));
    }
    break;
  }
  taking_ = false;
}

bool Connection::take_frame(const fast::Frame& frame) {
  const Reply reply{frame.payload, frame.checksum, frame.version};
  answer_unfinished_ = frame.status == fast::Status::data;
  if (frame.status == fast::Status::data) {
    const InFlight::Entry* entry = in_flight_.find(frame.message_id);
    if (entry == nullptr) return false;
    if (entry->sink != nullptr) entry->sink->on_data(reply);
    return true;
  }
  const auto entry = in_flight_.remove(frame.message_id);
  if (!entry) return false;
  ++answers_;
  forget(*entry);
  if (entry->sink != nullptr && frame.status == fast::Status::end)
    entry->sink->on_end(reply);
  else if (entry->sink != nullptr)
    entry->sink->on_error(reply);
  if (host_ != nullptr) host_->answered(*this);
  return true;
}

void Connection::want_flush() {
  if (flush_wanted_) return;
  flush_wanted_ = true;
  boost::asio::post(loop_, [self = shared_from_this()] { self->flush(); });
}

void Connection::flush() {
  flush_wanted_ = false;
  std::size_t allowed = kWriteBytesMax;
  while (state_ == State::up && !writing_) {
    const std::string_view pending = output_.pending().substr(0, allowed);
    if (pending.empty()) {
      if (allowed == 0 && output_.bytes() > 0) wait_writable();  // which it is: in the next turn
      return;
    }
    const ssize_t sent =
        ::send(socket_.native_handle(), pending.data(), pending.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      output_.wrote(static_cast<std::size_t>(sent));
      allowed -= static_cast<std::size_t>(sent);
    } else if (errno == EAGAIN) {
      wait_writable();
    } else if (errno != EINTR) {
      lose(FailureKind::connection_lost, "unexpected end of transport stream");
    }
  }
}

void Connection::wait_writable() {
  writing_ = true;
  socket_.async_wait(tcp::socket::wait_write, [self = shared_from_this()](const error_code& error) {
    self->writing_ = false;
    if (!error) self->flush();
  });
}

void Connection::close(const std::string& reason, bool silent) {
  if (silent)
    for (const auto& [message_id, entry] : in_flight_.remove_all()) forget(entry);
  lose(FailureKind::connection_lost, reason);
}

/// Of a write that was still in the queue nothing was sent, and its client hears so. A read of
/// which that is true is tried again as any that is lost.
void Connection::lose(FailureKind kind, const std::string& message, const std::string& info) {
  if (state_ == State::closed) return;
  state_ = State::closed;
  connect_timer_.cancel();
  error_code ignored;
  socket_.close(ignored);
  const auto self = shared_from_this();
  for (const std::uint32_t message_id : output_.clear()) in_flight_.mark_unsent(message_id);
  for (const auto& [message_id, entry] : in_flight_.remove_all()) {
    forget(entry);
    if (entry.sink == nullptr) continue;
    const bool untouched = entry.unsent && entry.write;
    entry.sink->on_failure(Failure{untouched ? FailureKind::no_connections : kind, message, info});
  }
  if (host_ != nullptr) host_->disconnected(*this, message);
}

}  // namespace backends::moray
