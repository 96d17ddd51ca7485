#include "backends/moray/connection.hpp"

#include <cerrno>
#include <vector>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/post.hpp>

#include "fast/encoder.hpp"

namespace backends::moray {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t kReadBytes = 256 << 10;
constexpr std::size_t kOutputBytesKept = 256 << 10;
constexpr std::chrono::seconds kServedAfter{1};

/// Lent for one read; a worker is one thread.
std::vector<char>& read_buffer() {
  thread_local std::vector<char> buffer(kReadBytes);
  return buffer;
}

/// A moray sends DATA and END in two small writes, and (Nagle) the second waits for our
/// acknowledgement of the first, which Linux would delay by 40 ms.
void acknowledge_now([[maybe_unused]] int socket) {
#ifdef TCP_QUICKACK
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
#endif
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
                       const ConnectionOptions& options, ConnectionHost& host)
    : loop_(loop), socket_(loop), connect_timer_(loop), address_(std::move(address)), id_(id),
      options_(options), host_(&host), decoder_(options.frame_bytes_max),
      last_used_(std::chrono::steady_clock::now()) {}

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
  wait_readable();
  if (host_ != nullptr) host_->connected(*this);
}

std::uint32_t Connection::send(const Request& request, ReplySink& sink) {
  do {
    last_message_id_ = last_message_id_ == fast::kMessageIdMax ? 1 : last_message_id_ + 1;
  } while (in_flight_.contains(last_message_id_));
  in_flight_.emplace(last_message_id_, &sink);
  used_ = true;
  if (request.checksum && request.checksum_version == options_.version)
    fast::append_frame_with_checksum(output_, options_.version, fast::Status::data,
                                     last_message_id_, *request.checksum, request.pieces);
  else
    fast::append_frame(output_, options_.version, fast::Status::data, last_message_id_,
                       request.pieces);
  want_flush();
  return last_message_id_;
}

bool Connection::served() const {
  const bool was_up = established_at_ != std::chrono::steady_clock::time_point{};
  return has_answered_ ||
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
  const std::span<char> direct = decoder_.direct_tail();
  const std::span<char> buffer = direct.empty() ? std::span<char>(read_buffer()) : direct;
  const ssize_t received = ::recv(socket_.native_handle(), buffer.data(), buffer.size(), 0);
  const int problem = errno;
  if (!direct.empty()) decoder_.wrote(received > 0 ? static_cast<std::size_t>(received) : 0);
  if (received == 0 || (received < 0 && problem != EAGAIN && problem != EINTR)) {
    lose(FailureKind::connection_lost, "unexpected end of transport stream");
    return;
  }
  if (received > 0) {
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
  const auto found = in_flight_.find(frame.message_id);
  if (found == in_flight_.end()) return false;
  ReplySink* sink = found->second;
  const Reply reply{frame.payload, frame.checksum, frame.version};
  answer_unfinished_ = frame.status == fast::Status::data;
  if (frame.status == fast::Status::data) {
    sink->on_data(reply);
    return true;
  }
  has_answered_ = true;
  in_flight_.erase(found);
  if (frame.status == fast::Status::end)
    sink->on_end(reply);
  else
    sink->on_error(reply);
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
  while (state_ == State::up && written_ < output_.size() && !writing_) {
    const ssize_t sent = ::send(socket_.native_handle(), output_.data() + written_,
                                output_.size() - written_, MSG_NOSIGNAL);
    if (sent > 0)
      written_ += static_cast<std::size_t>(sent);
    else if (errno == EAGAIN)
      wait_writable();
    else if (errno != EINTR)
      lose(FailureKind::connection_lost, "unexpected end of transport stream");
  }
  if (written_ < output_.size()) {
    if (written_ < kOutputBytesKept) return;
    output_.erase(0, written_);  // what is out needs no memory
    written_ = 0;
    return;
  }
  output_.clear();
  written_ = 0;
  if (output_.capacity() > kOutputBytesKept) output_.shrink_to_fit();
}

void Connection::wait_writable() {
  writing_ = true;
  socket_.async_wait(tcp::socket::wait_write, [self = shared_from_this()](const error_code& error) {
    self->writing_ = false;
    if (!error) self->flush();
  });
}

void Connection::close(const std::string& reason, bool silent) {
  if (silent) in_flight_.clear();
  lose(FailureKind::connection_lost, reason);
}

void Connection::lose(FailureKind kind, const std::string& message, const std::string& info) {
  if (state_ == State::closed) return;
  state_ = State::closed;
  connect_timer_.cancel();
  error_code ignored;
  socket_.close(ignored);
  const auto self = shared_from_this();
  const auto left = std::exchange(in_flight_, {});
  for (const auto& [message_id, sink] : left) sink->on_failure(Failure{kind, message, info});
  if (host_ != nullptr) host_->disconnected(*this, message);
}

}  // namespace backends::moray
