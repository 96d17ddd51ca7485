#include "router/serve/session.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "router/plan/errors.hpp"
#include "router/serve/dispatcher.hpp"
#include "router/serve/exchange.hpp"

namespace router {
namespace {

// What any client may have in flight, however much the others have.
constexpr std::size_t kCostAlways = 64 << 10;
// What has come and was not read is looked for again after so long.
constexpr std::chrono::milliseconds kUnreadAgain{250};

std::string name_of(const Session::Socket& socket) {
  boost::system::error_code error;
  const auto peer = socket.remote_endpoint(error);
  if (error) return "unknown";
  return peer.address().to_string() + ":" + std::to_string(peer.port());
}

}  // namespace

Session::Session(Socket socket, std::uint64_t id, SessionHost& host, Dispatcher& dispatcher,
                 DeadlineWheel& wheel, const SessionLimits& limits)
    : socket_(std::move(socket)), id_(id), host_(host), dispatcher_(dispatcher), wheel_(wheel),
      limits_(limits), decoder_(limits.frame_bytes_max), output_charge_(host.memory()),
      peer_(name_of(socket_)), accepted_at_(std::chrono::system_clock::now()) {}

Session::~Session() = default;

void Session::start() {
  boost::system::error_code ignored;  // a client that is gone already shows when we read
  socket_.non_blocking(true, ignored);
  socket_.set_option(boost::asio::ip::tcp::no_delay(true), ignored);
  socket_.set_option(boost::asio::socket_base::keep_alive(true), ignored);
  wait_readable();
}

/// A client that has its share in flight waits for its own answers, and is refused nothing.
bool Session::may_start() const {
  const std::size_t most =
      std::min({limits_.in_flight_max, window_.most(), host_.requests_at_once()});
  return in_flight_.size() - held_ < most && !output_full() &&
         (cost_ < kCostAlways || cost_ < host_.memory().share());
}

bool Session::may_read() const { return life_.reads() && !frame_waits() && may_start(); }

void Session::wait_readable() {
  if (outstanding_.readable) return;
  const bool reads = life_.lingers() || may_read();
  host_.idle_readers().set(*this, !reads && !life_.closed());
  if (!reads) return;
  outstanding_.readable = true;
  socket_.async_wait(Socket::wait_read,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                       self->outstanding_.readable = false;
                       if (self->life_.closed()) return;
                       if (error)
                         self->lost("wait", error.value());
                       else if (self->life_.lingers())
                         self->discard_input();
                       else
                         self->on_readable();
                     });
}

void Session::on_readable() {
  const std::span<char> direct = decoder_.direct_tail();
  const std::span<char> buffer = direct.empty() ? host_.read_buffer() : direct;
  const ssize_t received = ::recv(socket_.native_handle(), buffer.data(), buffer.size(), 0);
  const int problem = errno;
  if (!direct.empty()) decoder_.wrote(received > 0 ? static_cast<std::size_t>(received) : 0);
  if (received < 0 && (problem == EAGAIN || problem == EINTR)) {
    wait_readable();
    return;
  }
  if (received < 0) {
    lost("read", problem);
    return;
  }
  if (received == 0) {
    take_end_of_stream();
    return;
  }
  if (direct.empty()) decoder_.feed({buffer.data(), static_cast<std::size_t>(received)});
  take_frames();
  if (life_.closed()) return;
  if (held_ > 0) acknowledge();
  decoder_.settle();  // the buffer serves another session next
  reserve_frame(static_cast<std::size_t>(received));
  await_rest_of_frame();
  wait_readable();
}

/// No answer to a held write carries the acknowledgement of what was read: a client whose socket
/// waits for it before it sends more (node-moray's does, by Nagle's algorithm) would have its other
/// requests wait, too, for as long as 40 ms.
void Session::acknowledge() {
#ifdef TCP_QUICKACK
  boost::system::error_code ignored;
  socket_.set_option(boost::asio::detail::socket_option::boolean<IPPROTO_TCP, TCP_QUICKACK>(true),
                     ignored);
#endif
}

/// Before more of a frame is read, its memory is reserved. What is there of a smaller one counts.
void Session::reserve_frame(std::size_t received) {
  if (!decoder_.mid_frame() && frame_unknown()) return;
  ArrivingFrames& frames = host_.arriving_frames();
  if (frame_reserved()) {
    frames.arrived(*this, received);
    return;
  }
  const std::size_t bytes = decoder_.unfinished_frame_bytes();
  if (bytes >= ArrivingFrames::kBytesMin && !frame_waits())
    frames.reserve(*this, bytes, ArrivingFrames::Clock::now());
  if (!frame_reserved()) frames.unreserved(*this, decoder_.mid_frame() ? decoder_.bytes_held() : 0);
}

/// One deadline for a frame, from its first bytes on.
void Session::await_rest_of_frame() {
  if (!decoder_.mid_frame()) {
    frame_awaited_ = false;
    if (awaited_ == Awaited::rest_of_frame) await_nothing();
    return;
  }
  if (awaited_ != Awaited::nothing && (awaited_ != Awaited::rest_of_frame || frame_awaited_))
    return;
  frame_awaited_ = true;
  await(Awaited::rest_of_frame, limits_.write_stall_max);
}

void Session::frame_stalled() {
  host_.protocol_error(*this, "stalled_inside_frame");
  close();
}

/// The client has sent more than was read: where others have had the worker, that is not its delay.
bool Session::input_waits() const {
  int waiting = 0;
  const int socket = const_cast<Socket&>(socket_).native_handle();
  return ioctl(socket, FIONREAD, &waiting) == 0 && waiting > 0;
}

/// A client that has sent its last byte may have sent all of the frame: it lies in the socket.
bool Session::frame_may_be_whole() {
  int events = POLLIN;
#ifdef POLLRDHUP
  events = POLLRDHUP;
#endif
  pollfd peer{socket_.native_handle(), static_cast<short>(events), 0};
  if (poll(&peer, 1, 0) <= 0) return true;
  if ((peer.revents & (POLLERR | POLLHUP)) != 0) return false;
#ifdef POLLRDHUP
  if ((peer.revents & POLLRDHUP) == 0) return true;
  int waiting = 0;
  if (ioctl(peer.fd, FIONREAD, &waiting) != 0) return false;
  return decoder_.bytes_carried() + static_cast<std::size_t>(waiting) >=
         decoder_.unfinished_frame_bytes();
#else
  return true;
#endif
}

/// Takes the frames read so far, as long as limits allow; called again when they allow more.
void Session::take_frames() {
  if (taking_) return;
  taking_ = true;
  dispatcher_.begin_batch();
  while (life_.takes() && may_start()) {
    const fast::Decoded decoded = decoder_.next();
    if (const auto* frame = std::get_if<fast::Frame>(&decoded)) {
      take_frame(*frame);
    } else if (const auto* failure = std::get_if<fast::DecodeFailure>(&decoded)) {
      take_failure(*failure);
      break;
    } else {
      break;
    }
  }
  for_room_.frames = !may_start();
  taking_ = false;
  rest();
}

void Session::take_frame(const fast::Frame& frame) {
  // The first frame to be whole is the one that was begun.
  if (!frame_unknown()) host_.arriving_frames().release(*this, ArrivingFrames::Clock::now());
  frame_awaited_ = false;
  switch (frame.status) {
    case fast::Status::data:
      if (in_flight_.contains(frame.message_id)) {
        host_.protocol_error(*this, "duplicate_message_id");
        close();
      } else {
        ++counts_.started;
        if (dispatcher_.take(frame, *this) == Dispatched::broken)
          stop_after_error("bad_payload");
        else if (!in_flight_.contains(frame.message_id))
          ++counts_.completed;
      }
      return;
    case fast::Status::end:
      host_.protocol_error(*this, "end_from_client");
      close();
      return;
    case fast::Status::error:
      if (dispatcher_.valid_client_error(frame)) return;
      host_.protocol_error(*this, "malformed_error");
      close();
      return;
  }
}

void Session::take_failure(const fast::DecodeFailure& failure) {
  const bool answerable = failure.header_valid && failure.status == fast::Status::data &&
                          !in_flight_.contains(failure.message_id) &&
                          (failure.error == fast::DecodeError::bad_checksum ||
                           failure.error == fast::DecodeError::too_large);
  if (!answerable) {
    host_.protocol_error(*this, fast::to_string(failure.error));
    close();
    return;
  }
  write_error_frame(output(), failure.version, failure.message_id, {}, errors::protocol(failure));
  output_grew();
  stop_after_error(fast::to_string(failure.error));
}

/// The error is in the output: what is in flight may still be answered for a moment.
void Session::stop_after_error(std::string_view reason) {
  host_.protocol_error(*this, reason);
  ++counts_.protocol_errors;
  life_.drain();
  await(Awaited::last_answers, limits_.last_answers_max);
}

void Session::take_end_of_stream() {
  life_.input_ended();
  if (decoder_.mid_frame()) host_.protocol_error(*this, "end_inside_frame");
  take_frames();
  abandon_endless();
  limit_waits();
}

/// A client that sends no more may be gone: what has no deadline gets the usual one.
void Session::limit_waits() {
  for (const auto& [message_id, exchange] : in_flight_) exchange->limit_wait();
}

void Session::look_for_end() {
  int events = 0;
#ifdef POLLRDHUP
  events = POLLRDHUP;
#endif
  pollfd peer{socket_.native_handle(), static_cast<short>(events), 0};
  if (poll(&peer, 1, 0) <= 0) return;
  if ((peer.revents & (POLLERR | POLLHUP)) != 0) {
    int problem = 0;
    socklen_t size = sizeof problem;
    ::getsockopt(peer.fd, SOL_SOCKET, SO_ERROR, &problem, &size);
    return lost("look", problem);
  }
  limit_waits();
}

/// What its client loses is told: no answer tells it.
void Session::lost(std::string_view at, int problem) {
  if (!in_flight_.empty() || written_ < output_.size()) host_.client_lost(*this, at, problem);
  close();
}

void Session::drain() {
  life_.drain();
  abandon_endless();
}

void Session::abandon_endless() {
  std::vector<Exchange*> endless;
  for (const auto& [message_id, exchange] : in_flight_)
    if (exchange->endless()) endless.push_back(exchange);
  for (Exchange* exchange : endless) {
    cost_ -= exchange->cost();
    in_flight_.erase(exchange->message_id());
    exchange->abandon();
  }
  rest();
}

/// Everything answered and written, and nothing more to come.
void Session::rest() {
  if (taking_ || !in_flight_.empty() || written_ < output_.size()) return;
  if (life_.closed() || life_.lingers()) return;
  switch (life_.at_rest()) {
    case SessionLife::Rest::go_on: return;
    case SessionLife::Rest::close: close(); return;
    case SessionLife::Rest::linger: break;
  }
  boost::system::error_code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
  await(Awaited::last_answers, limits_.last_answers_max);
  wait_readable();
}

void Session::discard_input() {
  const std::span<char> buffer = host_.read_buffer();
  const ssize_t received = ::recv(socket_.native_handle(), buffer.data(), buffer.size(), 0);
  if (received > 0 || (received < 0 && (errno == EAGAIN || errno == EINTR)))
    wait_readable();
  else
    close();
}

void Session::await(Awaited awaited, std::chrono::milliseconds for_at_most) {
  awaited_ = awaited;
  due_ = DeadlineWheel::Clock::now() + for_at_most;
  wheel_.arm(*this, due_);
}

void Session::await_nothing() {
  awaited_ = Awaited::nothing;
  wheel_.disarm(*this);
}

void Session::on_deadline() {
  switch (std::exchange(awaited_, Awaited::nothing)) {
    case Awaited::nothing: return;
    case Awaited::last_answers: return close();
    case Awaited::client_takes_output: return look_at_output();
    case Awaited::rest_of_frame:
      if (frame_reserved() || frame_waits() || !may_read())
        return await(Awaited::rest_of_frame,
                     limits_.write_stall_max);  // its own rule, or our doing
      if (input_waits())
        return await(Awaited::rest_of_frame, std::min(kUnreadAgain, limits_.write_stall_max));
      return frame_stalled();
  }
}

void Session::close() {
  if (life_.closed()) return;
  life_.close();
  await_nothing();
  host_.arriving_frames().release(*this, ArrivingFrames::Clock::now());
  host_.idle_readers().set(*this, false);
  const auto self = shared_from_this();
  std::vector<Exchange*> left;
  for (const auto& [message_id, exchange] : in_flight_) left.push_back(exchange);
  in_flight_.clear();
  for (Exchange* exchange : left) exchange->abandon();
  boost::system::error_code ignored;
  socket_.close(ignored);
  host_.closed(*this);
}

void Session::started(std::uint32_t message_id, Exchange& exchange) {
  in_flight_.emplace(message_id, &exchange);
  cost_ += exchange.cost();
}

void Session::finished(std::uint32_t message_id) {
  if (const auto found = in_flight_.find(message_id); found != in_flight_.end()) {
    cost_ -= found->second->cost();
    in_flight_.erase(found);
  }
  ++counts_.completed;
  // Frames may be waiting for room; the end of the turn looks at them.
  if (!taking_) output_grew();
}

}  // namespace router
