#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "backends/moray/load.hpp"

namespace backends::moray {

/// What a connection has to write. No I/O. Lives on one worker; the owner bounds the bytes (by
/// `Load::unsent_bytes`), every call is O(1) beside the bytes that it copies, each at most once
/// more after it was encoded.
///
/// What goes out this turn is one string, so that many small frames are one write. When the socket
/// takes no more, or the string is full, further frames wait in a queue, each by itself: those can
/// be taken back, and their memory goes with them. They move into the string when it is written.
class Output {
 public:
  /// The string holds more only where a single frame is larger, and keeps no more when written.
  static constexpr std::size_t kStringBytesMax = 256 << 10;

  explicit Output(Load& load) : load_(load) {}

  /// Where the caller must append, at once, a frame of exactly `frame_bytes`. `prompt` is only
  /// counted (`prompt_unsent`). `held_up`: the socket takes nothing now.
  std::string& next(std::uint32_t message_id, std::size_t frame_bytes, bool prompt, bool held_up);
  /// What to write now; empty: nothing. Valid until the next call that is not const.
  std::string_view pending();
  /// So many of those bytes are written.
  void wrote(std::size_t bytes);

  /// True: nothing of that request's frame had been written, and nothing will be.
  bool take_back(std::uint32_t message_id);
  /// Forgets all. The message ids of which nothing was written: those that waited in the queue.
  std::vector<std::uint32_t> clear();

  [[nodiscard]] std::size_t bytes() const { return string_.size() - written_ + queued_bytes_; }
  [[nodiscard]] std::uint64_t bytes_written() const { return bytes_written_; }
  /// Prompt requests of which something is still here.
  [[nodiscard]] std::size_t prompt_unsent() const { return prompt_in_string_ + prompt_in_queue_; }
  /// Bytes of memory held for bytes to write (for tests and budgets).
  [[nodiscard]] std::size_t bytes_held() const { return string_.capacity() + queued_bytes_; }

 private:
  struct Frame {
    std::uint32_t message_id;
    bool prompt;
    std::size_t bytes;
    std::string text;
  };
  using Queue = std::list<Frame>;

  void refill();
  void empty_string();
  Queue::iterator leave_queue(Queue::iterator frame);

  Load& load_;
  std::string string_;
  std::size_t written_ = 0;  // of string_
  std::size_t prompt_in_string_ = 0;
  Queue queue_;
  boost::unordered_flat_map<std::uint32_t, Queue::iterator> places_;
  std::size_t queued_bytes_ = 0;
  std::size_t prompt_in_queue_ = 0;
  std::uint64_t bytes_written_ = 0;
};

}  // namespace backends::moray
