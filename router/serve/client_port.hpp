#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace router {

class Exchange;

/// The client's side of its requests: where answers are written. A session implements it. Lives
/// on one worker.
class ClientPort {
 public:
  /// The output not yet written to the socket; frames are appended here.
  virtual std::string& output() = 0;
  /// Call after appending: the output is written once at the end of this turn of the loop.
  virtual void output_grew() = 0;
  /// True while so much output waits that streams should pause.
  [[nodiscard]] virtual bool stream_waits() const = 0;
  /// An answer's last frame has been appended, or all of it: so many bytes.
  virtual void answer_written(std::size_t bytes) = 0;
  /// Whether an answer of so many bytes may be added now. One that is not a stream's can't be
  /// paused: where its client takes nothing, it is dropped, and an error takes its place.
  [[nodiscard]] virtual bool answer_fits(std::size_t bytes) const = 0;
  /// A stream paused itself: Exchange::resume is called when the output has drained.
  virtual void stream_paused() = 0;
  /// A request is on its way; `finished` follows, perhaps at once, unless the client abandons the
  /// exchange first.
  virtual void started(std::uint32_t message_id, Exchange& exchange) = 0;
  /// The request's last frame is written or never comes; its message id is free again.
  virtual void finished(std::uint32_t message_id) = 0;
  /// So many more (or fewer) of this client's writes wait at the gate, of that cost: they don't
  /// count against its limits of what is in flight.
  virtual void held_changed(std::ptrdiff_t by, std::ptrdiff_t cost) = 0;

 protected:
  ~ClientPort() = default;
};

}  // namespace router
