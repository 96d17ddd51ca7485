#include "router/serve/held_writes.hpp"

#include "router/serve/exchange.hpp"

namespace router {

void HeldWrites::add(Exchange& exchange, std::size_t bytes) {
  queue_.push_back(exchange);
  ++count_;
  bytes_ += bytes;
}

void HeldWrites::remove(Exchange& exchange, std::size_t bytes) {
  static_cast<HeldHook&>(exchange).unlink();
  --count_;
  bytes_ -= bytes;
}

/// One that is sent may, by failing at once, end a client whose other writes wait here: they take
/// themselves out of `due`.
void HeldWrites::let_go() {
  Queue due;
  due.swap(queue_);
  while (!due.empty()) static_cast<Exchange&>(due.front()).go_on();
}

}  // namespace router
