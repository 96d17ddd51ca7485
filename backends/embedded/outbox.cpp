#include "backends/embedded/outbox.hpp"

#include <boost/asio/post.hpp>

namespace backends::embedded {

void Outbox::send(Message message) {
  const std::scoped_lock lock(mutex_);
  if (loop_ == nullptr) return;
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
  deliver_(std::move(messages));  // on the worker, where `close` is called too
}

void Outbox::close() {
  const std::scoped_lock lock(mutex_);
  loop_ = nullptr;
  messages_.clear();
}

}  // namespace backends::embedded
