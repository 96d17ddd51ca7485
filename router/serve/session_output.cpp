// Session's writing half: one gathered write a turn of the loop.
#include <cerrno>
#include <vector>

#include <sys/socket.h>

#include "router/serve/exchange.hpp"
#include "router/serve/session.hpp"

namespace router {
namespace {

constexpr std::size_t kBytesWrittenKept = 64 << 10;  // fewer are not worth moving the others

}  // namespace

bool Session::output_full() const { return output_.size() - written_ > limits_.output_bytes_max; }

void Session::output_grew() {
  if (flush_wanted_ || closed_) return;
  flush_wanted_ = true;
  host_.wants_flush(shared_from_this());
}

void Session::flush() {
  flush_wanted_ = false;
  if (closed_) return;
  while (written_ < output_.size() && !writing_) {
    const ssize_t sent = ::send(socket_.native_handle(), output_.data() + written_,
                                output_.size() - written_, MSG_NOSIGNAL);
    if (sent > 0) {
      written_ += static_cast<std::size_t>(sent);
    } else if (errno == EAGAIN) {
      wait_writable();
    } else if (errno != EINTR) {
      close();
      return;
    }
  }
  output_drained();
}

void Session::wait_writable() {
  writing_ = true;
  // A client that takes nothing at all for so long is given up; a slow one is not.
  if (!armed()) wheel_.arm(*this, DeadlineWheel::Clock::now() + limits_.write_stall_max);
  socket_.async_wait(Socket::wait_write,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                       self->writing_ = false;
                       if (self->closed_) return;
                       if (error) {
                         self->close();
                         return;
                       }
                       if (!self->draining_) self->wheel_.disarm(*self);
                       self->flush();
                     });
}

/// After a write: memory is given back, and what waited for room goes on.
void Session::output_drained() {
  if (written_ == output_.size()) {
    host_.take_back_buffer(output_);
    written_ = 0;
  } else if (written_ > kBytesWrittenKept && written_ > output_.size() / 2) {
    output_.erase(0, written_);
    written_ = 0;
  }
  if (!output_full()) {
    if (streams_paused_) resume_streams();
    if (behind_limit_) {
      take_frames();
      if (closed_) return;
      decoder_.settle();
    }
    wait_readable();
  }
  close_when_done();
}

void Session::resume_streams() {
  streams_paused_ = false;
  std::vector<Exchange*> waiting;
  for (const auto& [message_id, exchange] : in_flight_) waiting.push_back(exchange);
  for (Exchange* exchange : waiting) exchange->resume();
}

}  // namespace router
