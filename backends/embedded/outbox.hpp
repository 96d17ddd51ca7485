#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "backends/shard.hpp"

namespace backends::embedded {

/// What may lie in an outbox before there is no room in it.
inline constexpr std::size_t kOutboxBytesMax = 16u << 20;

/// A part of an answer on its way from the owner's thread to a worker.
struct Message {
  enum class Kind : std::uint8_t {
    data,
    end,
    error,
    failure,
    go_on,  ///< no part: what is held may go out; the shard's to itself
  };
  std::uint64_t number = 0;  ///< the ticket's
  Kind kind = Kind::data;
  std::string payload;
  Failure failure;  ///< where kind is failure
};

/// Where the owner's thread leaves messages for one worker's shard. Thread-safe.
///
/// Bound: while kOutboxBytesMax of messages are undelivered there is no room, and the owner begins
/// no request of this worker and makes no rows for it. One answer, and those of the group of writes
/// in hand, may overrun it. Nobody waits for room: the owner goes on with the requests of others
/// and comes back when `room` tells it to. So nothing can stand still here: the loop delivers what
/// is posted whatever the owner does, and an outbox that is closed has room.
///
/// Lifetime: the shard calls `close` before its loop or itself goes; from then on nothing is
/// posted, and what was posted already finds the outbox closed. The lock orders the two.
class Outbox : public std::enable_shared_from_this<Outbox> {
 public:
  using Deliver = std::function<void(std::vector<Message>)>;
  using Room = std::function<void()>;
  /// Both are called on the worker, never after `close`; `room` when there is room again.
  Outbox(boost::asio::io_context& loop, Deliver deliver, Room room)
      : loop_(&loop), deliver_(std::move(deliver)), room_(std::move(room)) {}

  /// Any thread. Delivered on the worker's loop, in order, never before this returns.
  void send(Message message);
  /// Any thread. True stays true until the next `send`.
  [[nodiscard]] bool has_room() const { return undelivered_bytes_ < kOutboxBytesMax; }
  /// On the worker.
  void close();

 private:
  void deliver();

  std::mutex mutex_;
  boost::asio::io_context* loop_;                  // null: closed
  std::vector<Message> messages_;                  // not empty: a delivery is posted
  std::atomic<std::size_t> undelivered_bytes_{0};  // changed under the lock
  Deliver deliver_;
  Room room_;
};

/// What worker and owner share of a stream. Thread-safe.
struct Stream {
  /// A find stops when so much of it lies unread, and goes on below kUnreadLow; the worker tells
  /// the owner when it comes to be below.
  static constexpr std::int64_t kUnreadMax = 256 << 10;
  static constexpr std::int64_t kUnreadLow = kUnreadMax / 2;

  std::atomic<std::int64_t> unread_bytes{
      0};  ///< sent by the owner, not yet taken by the client's session
  std::atomic<bool> cancelled{false};
};

}  // namespace backends::embedded
