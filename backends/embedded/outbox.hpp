#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "backends/shard.hpp"

namespace backends::embedded {

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
/// Lifetime: the shard calls `close` before its loop or itself goes; from then on nothing is
/// posted, and what was posted already finds the outbox closed. The lock orders the two.
class Outbox : public std::enable_shared_from_this<Outbox> {
 public:
  using Deliver = std::function<void(std::vector<Message>)>;
  Outbox(boost::asio::io_context& loop, Deliver deliver)
      : loop_(&loop), deliver_(std::move(deliver)) {}

  /// Any thread. Delivered on the worker's loop, in order, never before this returns.
  void send(Message message);
  /// On the worker.
  void close();

 private:
  void deliver();

  std::mutex mutex_;
  boost::asio::io_context* loop_;  // null: closed
  std::vector<Message> messages_;  // not empty: a delivery is posted
  Deliver deliver_;
};

/// What worker and owner share of a stream. Thread-safe.
struct Stream {
  std::atomic<std::int64_t> unread_bytes{
      0};  ///< sent by the owner, not yet taken by the client's session
  std::atomic<bool> cancelled{false};
};

}  // namespace backends::embedded
