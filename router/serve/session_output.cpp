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
  outstanding_.writable = true;
  // A client that takes nothing at all for so long is given up; a slow one is not, unless its last
  // answers have a time of their own.
  if (awaited_ == Awaited::nothing) await(Awaited::client_takes_output, limits_.write_stall_max);
  socket_.async_wait(Socket::wait_write,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                       self->outstanding_.writable = false;
                       if (self->life_.closed()) return;
                       if (error) {
                         self->close();
                         return;
                       }
                       if (self->awaited_ == Awaited::client_takes_output) self->await_nothing();
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
    if (for_room_.streams) resume_streams();
    if (for_room_.frames) {
      take_frames();
      if (life_.closed()) return;
      decoder_.settle();
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
