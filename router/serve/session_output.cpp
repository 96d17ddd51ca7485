// Session's writing half: one gathered write a turn of the loop.
#include <algorithm>
#include <cerrno>
#include <vector>

#include <sys/socket.h>

#include "router/serve/exchange.hpp"
#include "router/serve/session.hpp"

namespace router {
namespace {

constexpr std::size_t kBytesWrittenKept = 64 << 10;  // fewer are not worth moving the others
constexpr std::size_t kRoomAlways = 64 << 10;        // for what waits, however little is left
constexpr std::size_t kRoomyMost = 4;                // times what waits, where memory is short
constexpr std::size_t kStreamAhead = 6 << 20;        // of its client, at most
constexpr std::size_t kAnswerAlways = 4 << 10;       // is added, however many wait
// Whether the client takes its output is looked at so often, and so much is taking some. Where
// memory is short it has so long.
constexpr std::chrono::milliseconds kLook{500}, kPressed{5'000};
constexpr std::size_t kTakesLeast = 16 << 10;

}  // namespace

/// A stream whose client takes nothing is read ahead of it as far as the client's share goes, so
/// that most are over, and their shard's connection free, however slow their clients are.
bool Session::stream_waits() const {
  const std::size_t waits = output_.size() - written_;
  return waits > std::min(kRoomAlways, limits_.output_bytes_max) &&
         waits > room(runs_ahead_ ? std::max(limits_.output_bytes_max, kStreamAhead)
                                  : limits_.output_bytes_max);
}

bool Session::output_full() const {
  const std::size_t waits = output_.size() - written_;
  return waits > std::min(kRoomAlways, limits_.output_bytes_max) &&
         waits > room(limits_.output_bytes_max);
}

/// `most`, or less where memory is short: many slow clients hold much together. The last quarter of
/// the memory is not for streams and further requests of clients that leave their answers waiting,
/// so that others' requests have room.
std::size_t Session::room(std::size_t most) const {
  const budget::Account& memory = host_.memory();
  return std::min(most, memory.pressed() ? kRoomAlways : std::max(kRoomAlways, memory.share() / 4));
}

/// A client may let its answers wait for as much as its share is; one of any size is added where
/// none waits, and there is memory.
bool Session::answer_fits(std::size_t bytes) const {
  const std::size_t waits = output_.size() - written_;
  if (bytes <= kAnswerAlways) return true;
  const budget::Account& memory = host_.memory();
  if (waits == 0) return bytes <= memory.free();
  return waits + bytes <= std::max(room(limits_.output_bytes_max), memory.share());
}

/// Little is not worth counting: most sessions have none, most of the time.
void Session::charge_output() {
  const std::size_t bytes = output_.capacity();
  output_charge_.set(bytes > kRoomAlways / 4 ? bytes : 0);
}

void Session::output_grew() {
  charge_output();
  if (outstanding_.flush || life_.closed()) return;
  outstanding_.flush = true;
  host_.wants_flush(shared_from_this());
}

void Session::flush() {
  outstanding_.flush = false;
  if (life_.closed()) return;
  while (written_ < output_.size() && !outstanding_.writable) {
    const ssize_t sent = ::send(socket_.native_handle(), output_.data() + written_,
                                output_.size() - written_, MSG_NOSIGNAL);
    if (sent > 0) {
      written_ += static_cast<std::size_t>(sent);
      taken_ += static_cast<std::size_t>(sent);
    } else if (errno == EAGAIN) {
      wait_writable();
    } else if (errno != EINTR) {
      lost("write", errno);
      return;
    }
  }
  output_drained();
}

void Session::wait_writable() {
  outstanding_.writable = true;
  if (awaited_ != Awaited::client_takes_output && awaited_ != Awaited::last_answers) {
    stalled_since_ = DeadlineWheel::Clock::now();
    taken_ = 0;
    look_at_output_again();
  }
  socket_.async_wait(Socket::wait_write,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                       self->outstanding_.writable = false;
                       if (self->life_.closed()) return;
                       if (error)
                         self->lost("wait", error.value());
                       else
                         self->flush();
                     });
}

void Session::look_at_output_again() {
  await(Awaited::client_takes_output, std::min(kLook, limits_.write_stall_max));
}

/// A client that has taken next to nothing for so long is cut: sooner where memory is short, and
/// much of it waits for this one. While the worker was late it has offered nothing.
void Session::look_at_output() {
  const auto now = DeadlineWheel::Clock::now();
  stalled_since_ += std::max(now - due_, DeadlineWheel::Clock::duration());
  if (taken_ >= kTakesLeast) {
    stalled_since_ = now;
    taken_ = 0;
  }
  const auto most = host_.memory().pressed() && output_full()
                        ? std::min(kPressed, limits_.write_stall_max)
                        : limits_.write_stall_max;
  if (now - stalled_since_ >= most) {
    host_.protocol_error(*this, "takes_no_output");
    close();
    return;
  }
  look_at_output_again();
  runs_ahead_ = stalled_since_ != now;
  if (for_room_.streams && !stream_waits()) resume_streams();
}

/// After a write: memory is given back, and what waited for room goes on.
void Session::output_drained() {
  if (written_ == output_.size()) {
    host_.take_back_buffer(output_);
    written_ = 0;
    runs_ahead_ = false;
    if (awaited_ == Awaited::client_takes_output) {
      await_nothing();
      await_rest_of_frame();
    }
  } else if (written_ > kBytesWrittenKept && written_ > output_.size() / 2) {
    output_.erase(0, written_);
    written_ = 0;
    if (output_.capacity() > kRoomyMost * (output_.size() + kRoomAlways) &&
        host_.memory().pressed())
      output_.shrink_to_fit();
  }
  charge_output();
  if (for_room_.streams && !stream_waits()) resume_streams();
  if (!output_full()) {
    if (for_room_.frames) {
      take_frames();
      if (life_.closed()) return;
      decoder_.settle();
      await_rest_of_frame();
    }
    wait_readable();
  }
  rest();
}

void Session::resume_streams() {
  for_room_.streams = false;
  std::vector<Exchange*> waiting;
  for (const auto& [message_id, exchange] : in_flight_) waiting.push_back(exchange);
  for (Exchange* exchange : waiting) exchange->resume();
}

}  // namespace router
