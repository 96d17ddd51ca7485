#include "backends/embedded/outbox.hpp"

#include <boost/asio/post.hpp>

namespace backends::embedded {
namespace {

std::size_t bytes_of(const Message& message) { return sizeof message + message.payload.size(); }

}  // namespace

void Outbox::send(Message message) {
  const std::scoped_lock lock(mutex_);
  if (loop_ == nullptr) return;
  undelivered_bytes_ += bytes_of(message);
  messages_.push_back(std::move(message));
  if (messages_.size() == 1)
    boost::asio::post(*loop_, [self = shared_from_this()] { self->deliver(); });
}

void Outbox::deliver() {
  std::vector<Message> messages;
  {
    const std::scoped_lock lock(mutex_);
    if (loop_ == nullptr) return;
    messages.swap(messages_);
  }
  std::size_t bytes = 0;
  for (const Message& message : messages) bytes += bytes_of(message);
  deliver_(std::move(messages));  // on the worker, where `close` is called too
  bool room_again = false;
  {
    const std::scoped_lock lock(mutex_);
    if (loop_ == nullptr) return;
    const std::size_t before = undelivered_bytes_.fetch_sub(bytes);
    room_again = before >= kOutboxBytesMax && before - bytes < kOutboxBytesMax;
  }
  if (room_again) room_();
}

void Outbox::close() {
  const std::scoped_lock lock(mutex_);
  loop_ = nullptr;
  std::vector<Message>().swap(messages_);
  undelivered_bytes_ = 0;
}

}  // namespace backends::embedded
